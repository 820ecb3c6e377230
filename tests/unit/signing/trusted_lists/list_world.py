"""A small union: a list of lists, two national lists, a time-stamp service that is granted and then withdrawn."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from asn1crypto import core
from cryptography import x509

from tests.unit.signing import forge
from tests.unit.signing.forge import Identity
from tests.unit.signing.xml_forge import XmlRecipe

TYPES = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/"
SVC = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
INFO = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
GRANTED = datetime(2024, 1, 1, tzinfo=UTC)
WITHDRAWN = datetime(2026, 1, 1, tzinfo=UTC)
HALF_A_YEAR = timedelta(days=183)


@dataclass(frozen=True)
class State:
    status: str
    since: datetime
    purposes: Sequence[str] = ()
    qualifiers: str = ""


@dataclass(frozen=True)
class Listed:
    """A service; the first state is the present one."""

    identity: Identity
    type: str
    states: Sequence[State]
    name: str = "A service"


@dataclass(frozen=True)
class ListRecipe:
    territory: str
    signer: Identity
    services: Sequence[Listed] = ()
    pointers: Sequence[tuple[str, str, Sequence[Identity]]] = ()
    type: str = f"{TYPES}EUgeneric"
    sequence: int = 7
    version: int = 6
    issued: datetime = NOW - timedelta(days=10)
    next_update: datetime | None = NOW - timedelta(days=10) + HALF_A_YEAR
    edits: Sequence[tuple[bytes, bytes]] = field(default=())

    def but(self, **changes: Any) -> ListRecipe:
        return replace(self, **changes)

    def unsigned(self) -> bytes:
        octets = self._text().encode()
        for before, after in self.edits:
            assert before in octets
            octets = octets.replace(before, after)
        return octets

    def octets(self, **changes: Any) -> bytes:
        """The list, signed."""
        recipe = XmlRecipe(self.signer, digest="sha512", time=self.issued).but(**changes)
        return recipe.document(self.unsigned())

    def _text(self) -> str:
        listed = "".join(_service(one) for one in self.services)
        information = (
            f"<TSPInformation><TSPName>{_name('Provider of ' + self.territory)}</TSPName>{_address('TSPAddress')}"
            f"<TSPInformationURI>{_uri('https://tsp.example')}</TSPInformationURI></TSPInformation>"
        )
        providers = (
            f"<TrustServiceProviderList><TrustServiceProvider>{information}<TSPServices>{listed}</TSPServices>"
            "</TrustServiceProvider></TrustServiceProviderList>"
            if listed
            else ""
        )
        update = f"<dateTime>{_time(self.next_update)}</dateTime>" if self.next_update else ""
        pointed = "".join(_pointer(*one) for one in self.pointers)
        pointers = f"<PointersToOtherTSL>{pointed}</PointersToOtherTSL>" if pointed else ""
        return (
            '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#" '
            'TSLTag="http://uri.etsi.org/19612/TSLTag" Id="list"><SchemeInformation>'
            f"<TSLVersionIdentifier>{self.version}</TSLVersionIdentifier>"
            f"<TSLSequenceNumber>{self.sequence}</TSLSequenceNumber><TSLType>{self.type}</TSLType>"
            f"<SchemeOperatorName>{_name('Operator of ' + self.territory)}</SchemeOperatorName>"
            f"{_address('SchemeOperatorAddress')}<SchemeName>{_name('Scheme')}</SchemeName>"
            f"<SchemeInformationURI>{_uri('https://scheme.example')}</SchemeInformationURI>"
            "<StatusDeterminationApproach>http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate"
            "</StatusDeterminationApproach>"
            f"<SchemeTerritory>{self.territory}</SchemeTerritory>"
            "<HistoricalInformationPeriod>65535</HistoricalInformationPeriod>"
            f"{pointers}<ListIssueDateTime>{_time(self.issued)}</ListIssueDateTime><NextUpdate>{update}</NextUpdate>"
            f"</SchemeInformation>{providers}</TrustServiceStatusList>"
        )


def _time(instant: datetime | None) -> str:
    assert instant is not None
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _name(text: str) -> str:
    return f'<Name xml:lang="en">{escape(text)}</Name>'


def _uri(text: str) -> str:
    return f'<URI xml:lang="en">{text}</URI>'


def _address(name: str) -> str:
    return (
        f'<{name}><PostalAddresses><PostalAddress xml:lang="en"><StreetAddress>1</StreetAddress><Locality>L</Locality>'
        f"<CountryName>XX</CountryName></PostalAddress></PostalAddresses><ElectronicAddress>"
        f"{_uri('mailto:a@b.example')}</ElectronicAddress></{name}>"
    )


def _certificate(identity: Identity) -> str:
    encoded = base64.b64encode(identity.der).decode()
    return f"<DigitalId><X509Certificate>{encoded}</X509Certificate></DigitalId>"


def _pointer(territory: str, kind: str, signers: Iterable[Identity]) -> str:
    identities = "".join(f"<ServiceDigitalIdentity>{_certificate(one)}</ServiceDigitalIdentity>" for one in signers)
    more = "http://uri.etsi.org/02231/v2/additionaltypes#"
    return (
        f"<OtherTSLPointer><ServiceDigitalIdentities>{identities}</ServiceDigitalIdentities>"
        f"<TSLLocation>https://tl.example/{territory}.xml</TSLLocation><AdditionalInformation>"
        f"<OtherInformation><TSLType>{kind}</TSLType></OtherInformation>"
        f"<OtherInformation><SchemeTerritory>{territory}</SchemeTerritory></OtherInformation>"
        f'<OtherInformation><m:MimeType xmlns:m="{more}">application/vnd.etsi.tsl+xml</m:MimeType></OtherInformation>'
        "</AdditionalInformation></OtherTSLPointer>"
    )


def _service(one: Listed) -> str:
    now, *before = one.states
    history = "".join(f"<ServiceHistoryInstance>{_state(one, state)}</ServiceHistoryInstance>" for state in before)
    return (
        f"<TSPService><ServiceInformation>{_state(one, now)}</ServiceInformation>"
        f"<ServiceHistory>{history}</ServiceHistory></TSPService>"
    )


def _state(one: Listed, state: State) -> str:
    extensions = [
        f'<Extension Critical="true"><AdditionalServiceInformation>{_uri(INFO + purpose)}'
        "</AdditionalServiceInformation></Extension>"
        for purpose in state.purposes
    ]
    if state.qualifiers:
        extensions.append(f'<Extension Critical="true">{state.qualifiers}</Extension>')
    more = f"<ServiceInformationExtensions>{''.join(extensions)}</ServiceInformationExtensions>" if extensions else ""
    return (
        f"<ServiceTypeIdentifier>{SVC}{one.type}</ServiceTypeIdentifier><ServiceName>{_name(one.name)}</ServiceName>"
        f"<ServiceDigitalIdentity>{_certificate(one.identity)}</ServiceDigitalIdentity>"
        f"<ServiceStatus>{STATUS}{state.status}</ServiceStatus>"
        f"<StatusStartingTime>{_time(state.since)}</StatusStartingTime>{more}"
    )


SIE = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"


def qualification(qualifiers: Sequence[str], criteria: str, wanted: str = "all") -> str:
    """A Qualifications extension with one element."""
    listed = "".join(f'<q:Qualifier uri="{INFO}{one}"/>' for one in qualifiers)
    return (
        f'<q:Qualifications xmlns:q="{SIE}"><q:QualificationElement><q:Qualifiers>{listed}</q:Qualifiers>'
        f'<q:CriteriaList assert="{wanted}">{criteria}</q:CriteriaList></q:QualificationElement></q:Qualifications>'
    )


def usage(**bits: bool) -> str:
    listed = "".join(f'<q:KeyUsageBit name="{name}">{str(on).lower()}</q:KeyUsageBit>' for name, on in bits.items())
    return f"<q:KeyUsage>{listed}</q:KeyUsage>"


def statements(*, qscd: bool = True, kind: int = 1, compliance: bool = True) -> x509.UnrecognizedExtension:
    """The qualified certificate statements; `kind` 1 for signatures, 2 for seals."""

    class _Statement(core.Sequence):  # type: ignore[misc]
        _fields = [("id", core.ObjectIdentifier), ("info", core.Any, {"optional": True})]  # noqa: RUF012

    class _Statements(core.SequenceOf):  # type: ignore[misc]
        _child_spec = _Statement

    class _Kinds(core.SequenceOf):  # type: ignore[misc]
        _child_spec = core.ObjectIdentifier

    listed: list[dict[str, Any]] = []
    listed += [{"id": "0.4.0.1862.1.1"}] if compliance else []
    listed += [{"id": "0.4.0.1862.1.4"}] if qscd else []
    listed += [{"id": "0.4.0.1862.1.6", "info": _Kinds([f"0.4.0.1862.1.6.{kind}"])}]
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), _Statements(listed).dump())


@dataclass(frozen=True)
class Union:
    """Who is in it, and its lists."""

    commission: Identity
    next_commission: Identity
    czech: Identity
    estonian: Identity
    root: Identity
    unit: Identity
    citizens: Identity
    person: Identity

    @classmethod
    def made(cls) -> Union:
        def scheme(name: str) -> Identity:
            return forge.issued(name, None, start=GRANTED, extensions=[(forge.key_usage(), True)])

        root = forge.authority("Stamps", start=GRANTED)
        citizens = forge.authority("Citizens", start=GRANTED)
        extensions: list[tuple[x509.ExtensionType, bool]] = [(forge.key_usage(), True), (statements(), False)]
        person = forge.issued("Jana", citizens, start=GRANTED + HALF_A_YEAR, extensions=extensions)
        return cls(
            scheme("Commission"),
            scheme("Commission next"),
            scheme("Czech operator"),
            scheme("Estonian operator"),
            root,
            forge.time_stamp_unit(root, start=GRANTED),
            citizens,
            person,
        )

    def national(self) -> ListRecipe:
        """The list with the time-stamp service that was granted and then withdrawn."""
        states = (State("withdrawn", WITHDRAWN), State("granted", GRANTED))
        return ListRecipe("CZ", self.czech, [Listed(self.root, "TSA/QTST", states, "Stamps of the nation")])

    def other_national(self) -> ListRecipe:
        state = State("granted", GRANTED, ("ForeSignatures",))
        return ListRecipe("EE", self.estonian, [Listed(self.citizens, "CA/QC", (state,), "Citizens' certificates")])

    def lists(self, signer: Identity | None = None) -> ListRecipe:
        pointers = [
            ("EU", f"{TYPES}EUlistofthelists", [self.commission, self.next_commission]),
            ("CZ", f"{TYPES}EUgeneric", [self.czech]),
            ("EE", f"{TYPES}EUgeneric", [self.estonian]),
        ]
        return ListRecipe(
            "EU", signer or self.commission, pointers=pointers, type=f"{TYPES}EUlistofthelists", sequence=300
        )
