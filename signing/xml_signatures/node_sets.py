"""Node-sets (XPath 1.0 data model) over an lxml document, as far as XML signatures need them.

Rules kept here
 * A node-set is a document or one subtree, minus whole subtrees, and maybe only chosen nodes of that.
 * `comments` is False for what a same-document reference selects (XMLDSig 4.4.3.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lxml import etree

from signing.xml_signatures.names import is_comment


@dataclass(frozen=True)
class Chosen:
    """The nodes that an XPath expression selects one by one. Keys of `texts` are the element that a text follows
    (`tails`) or begins (`texts`); attributes are (element, written name)."""

    nodes: frozenset[etree._Element]
    texts: frozenset[etree._Element]
    tails: frozenset[etree._Element]
    hidden_attributes: frozenset[tuple[etree._Element, str]] = frozenset()


@dataclass(frozen=True)
class NodeSet:
    """`apex` is the element whose subtree it is, or None for the whole document. All of `hidden` and what is in
    them is left out. With `chosen`, only those nodes of the rest are in the set."""

    tree: etree._ElementTree
    apex: etree._Element | None
    comments: bool = False
    hidden: frozenset[etree._Element] = frozenset()
    chosen: Chosen | None = None
    _inside: dict[etree._Element, bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def root(self) -> etree._Element:
        return self.tree.getroot()

    def without(self, node: etree._Element) -> NodeSet:
        return replace(self, hidden=self.hidden | {node}, _inside={})

    def only(self, chosen: Chosen) -> NodeSet:
        """Raises ValueError when nodes were chosen before: two such filters are not put together here."""
        if self.chosen is None:
            return replace(self, chosen=chosen, _inside={})
        before = self.chosen
        both = Chosen(
            before.nodes & chosen.nodes,
            before.texts & chosen.texts,
            before.tails & chosen.tails,
            before.hidden_attributes | chosen.hidden_attributes,
        )
        return replace(self, chosen=both, _inside={})

    def shows(self, node: etree._Element) -> bool:
        """Whether an element, comment or processing instruction is in the set."""
        if self.chosen is not None and node not in self.chosen.nodes:
            return False
        if is_comment(node) and not self.comments:
            return False
        return self._within(node)

    def _within(self, node: etree._Element) -> bool:
        """In the apex's subtree and in no hidden one; remembered, for each node asks for its parent."""
        known = self._inside.get(node)
        if known is None:
            parent = node.getparent()
            if node in self.hidden:
                known = False
            elif node is self.apex:
                known = True
            elif parent is None:
                known = self.apex is None
            else:
                known = self._within(parent)
            self._inside[node] = known
        return known

    def shows_text(self, node: etree._Element) -> bool:
        """Whether the text that begins an element is in the set; asked of elements within the apex only."""
        return self.chosen is None or node in self.chosen.texts

    def shows_tail(self, node: etree._Element) -> bool:
        """Whether the text that follows a node is in the set."""
        return self.chosen is None or node in self.chosen.tails

    def shows_attribute(self, node: etree._Element, name: str) -> bool:
        return self.chosen is None or (node, name) not in self.chosen.hidden_attributes
