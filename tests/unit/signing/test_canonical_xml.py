"""Our canonical XML against lxml's, and against the recommendation where lxml differs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from signing.xml_signatures.canonical import METHODS, Canonicalisation, canonical
from signing.xml_signatures.node_sets import Chosen, NodeSet
from signing.xml_signatures.reading import XmlRefusedError, decode_base64, looks_like_xml, parse_xml

EXCLUSIVE = Canonicalisation(exclusive=True)
URIS = ("urn:a", "urn:b", "urn:c")


@st.composite
def documents(draw: st.DrawFn, depth: int = 0, scope: tuple[str, ...] = ()) -> str:
    """Elements with namespaces declared, redeclared and undeclared, attributes, text, comments, instructions."""
    declared = draw(st.lists(st.sampled_from(("", "p", "q", "r")), unique=True, max_size=3))
    bound = tuple(dict.fromkeys((*scope, *(prefix for prefix in declared if prefix))))
    spaces = "".join(
        f' xmlns{":" if prefix else ""}{prefix}="{draw(st.sampled_from(URIS + (("",) if not prefix else ())))}"'
        for prefix in declared
    )
    prefix = draw(st.sampled_from(("", *bound)))
    name = f"{prefix}:e" if prefix else "e"
    chosen = draw(st.lists(st.sampled_from(("a", "b", "xml:lang", *(f"{one}:a" for one in bound[:1]))), unique=True))
    text = st.text(alphabet="x &<>\"'\t\né", max_size=5)
    attributes = "".join(f' {key}="{_escaped(draw(text))}"' for key in chosen)
    pieces = [_escaped(draw(text))]
    for _ in range(draw(st.integers(0, 2)) if depth < 3 else 0):
        pieces.append(draw(st.sampled_from(("<!-- c -->", "<?t d?>", ""))))
        pieces.append(draw(documents(depth=depth + 1, scope=bound)))
        pieces.append(_escaped(draw(text)))
    return f"<{name}{spaces}{attributes}>{''.join(pieces)}</{name}>"


def _escaped(text: str) -> str:
    for char, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("\t", "&#9;"),
        ("\n", "&#10;"),
    ):
        text = text.replace(char, entity)
    return text


@settings(max_examples=20, deadline=None)
@given(documents(), st.sampled_from([one for one in METHODS.values() if not one.version_11]))
def test_whole_documents_are_written_as_lxml_writes_them(source: str, method: Canonicalisation) -> None:
    """C14N 1.0 and exclusive, with and without comments, over whatever namespaces do."""
    tree = parse_xml(source.encode())
    expected = etree.tostring(tree, method="c14n", exclusive=method.exclusive, with_comments=method.comments)
    assert canonical(NodeSet(tree, None, comments=True), method) == expected


@settings(max_examples=10, deadline=None)
@given(documents())
def test_parts_are_written_exclusively_as_lxml_writes_them(source: str) -> None:
    """Each element by itself, in its place."""
    tree = parse_xml(source.encode())
    for node in tree.getroot().iter(etree.Element):
        expected = etree.tostring(node, method="c14n", exclusive=True, with_comments=False, with_tail=False)
        assert canonical(NodeSet(tree, node), EXCLUSIVE) == expected


def _part(source: bytes, method: Canonicalisation) -> bytes:
    tree = parse_xml(source)
    return canonical(NodeSet(tree, next(tree.getroot().iter("{*}part"))), method)


@pytest.mark.parametrize(
    ("source", "method", "expected"),
    [
        # C14N 1.0 2.4: xml: attributes are inherited, the nearest first; inherited namespaces are written
        (
            b'<a xmlns:n="urn:n" xml:lang="cs" xml:id="i"><b xml:lang="en"><part/></b></a>',
            Canonicalisation(),
            b'<part xmlns:n="urn:n" xml:id="i" xml:lang="en"></part>',
        ),
        # C14N 1.1 2.4: xml:id is not, xml:base is joined
        (
            b'<a xml:base="http://e.org/x/" xml:id="i" xml:lang="cs"><b xml:base="y/"><part xml:base="z"/></b></a>',
            Canonicalisation(version_11=True),
            b'<part xml:base="http://e.org/x/y/z" xml:lang="cs"></part>',
        ),
        (b'<a xmlns:n="urn:n" xml:lang="cs"><part/></a>', EXCLUSIVE, b"<part></part>"),
        (
            b'<a xmlns:n="urn:n" xmlns="urn:d"><part/></a>',
            Canonicalisation(exclusive=True, prefixes=frozenset({"n"})),
            b'<part xmlns="urn:d" xmlns:n="urn:n"></part>',
        ),
        # two prefixes of one namespace: attributes keep theirs
        (
            b'<a xmlns:n="urn:n" xmlns:m="urn:n"><part m:y="1" n:x="2"/></a>',
            EXCLUSIVE,
            b'<part xmlns:m="urn:n" xmlns:n="urn:n" n:x="2" m:y="1"></part>',
        ),
        # the default namespace undone
        (
            b'<part xmlns="urn:d"><c xmlns=""/></part>',
            Canonicalisation(),
            b'<part xmlns="urn:d"><c xmlns=""></c></part>',
        ),
    ],
)
def test_what_the_recommendations_say_of_parts(source: bytes, method: Canonicalisation, expected: bytes) -> None:
    """Written out by hand from the recommendations."""
    assert _part(source, method) == expected


def test_hidden_and_chosen_nodes_are_left_out() -> None:
    """A hidden element goes with all in it; of chosen nodes only those are written."""
    tree = parse_xml(b"<a>one<b>two</b>three<c/></a>")
    root = tree.getroot()
    assert canonical(NodeSet(tree, None).without(root[0]), Canonicalisation()) == b"<a>onethree<c></c></a>"
    only = Chosen(frozenset({root, root[1]}), frozenset({root[0]}), frozenset())
    assert canonical(NodeSet(tree, None).only(only), Canonicalisation()) == b"<a>two<c></c></a>"


@pytest.mark.parametrize(
    "octets", [b"<a", b"<!DOCTYPE a><a/>", b"<a>&x;</a>", b"<a>" * 151 + b"</a>" * 151, b"\xff\xfe<\x00", b""]
)
def test_what_is_not_xml_is_refused(octets: bytes) -> None:
    """With one error, whatever the parser says."""
    with pytest.raises(XmlRefusedError):
        parse_xml(octets)


def test_xml_is_known_by_its_beginning() -> None:
    """With or without a byte order mark; other formats are not taken for XML."""
    assert all(looks_like_xml(head) for head in (b"<a/>", b"\xef\xbb\xbf <a", "<a/>".encode("utf-16")))
    assert not any(looks_like_xml(head) for head in (b"", b"%PDF-1.7", b"PK\x03\x04", b"{}"))


@pytest.mark.parametrize("text", ["AA=", "A*==", "=", "AAA"])
def test_base64_is_strict_but_for_blanks(text: str) -> None:
    """Blanks anywhere are of the format, other letters are not."""
    assert decode_base64(" Z G\nV m ") == b"def"
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)
