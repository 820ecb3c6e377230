"""A seal key in a hardware security module, by its PKCS #11 address (RFC 7512).

    pkcs11:token=archive;object=seal?module-path=/usr/lib/softhsm/libsofthsm2.so

Rules kept here
 * The PIN stands in no address; it is fetched when it is needed, by the address of a secret.
 * A PIN that was refused is not tried again by this process, and one that would lock the token not at all.
 * One thread talks to a module, and nobody waits for it longer than the time-out: a module that hangs holds no
   deposit, and makes no second call before the first has come back.
 * After a failure everything is opened anew at the next try, the module itself included: a device that was away
   and came back is found again by itself.
 * The module is loaded into this process: the settings name it by its absolute path, which nobody but the
   operator can write.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from archive_core.errors import ArchiveError, SealKeyUnavailableError, SettingsError
from signing.key_devices import ECDSA, PKCS1, PSS, ordered

T = TypeVar("T")

_PATH = ("token", "serial", "slot-id", "object", "id", "type")
_QUERY = ("module-path",)
_DIGESTS = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
"""Digests that PKCS #11 2.40 knows as parameters of RSA-PSS; SHA-3 came with 3.0."""

_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""RFC 8017 9.2, note 1."""


@dataclass(frozen=True, slots=True)
class Pkcs11Address:
    """Which key, in which token, through which module. What is None is not asked for."""

    module: str
    token: str | None = None
    serial: bytes | None = None
    slot: int | None = None
    label: str | None = None
    id: bytes | None = None

    @classmethod
    def parse(cls, address: str) -> Pkcs11Address:
        """Raises `SettingsError` saying what is wrong."""
        scheme, _, rest = address.partition(":")
        path, _, query = rest.partition("?")
        if scheme != "pkcs11":
            raise SettingsError(f"{address!r} is not a PKCS #11 address")
        known = _attributes(path, ";", _PATH) | _attributes(query, "&", _QUERY)
        module = os.fsdecode(known.get("module-path", b""))
        if not Path(module).is_absolute():
            raise SettingsError("a PKCS #11 address names its module by an absolute path: ?module-path=/usr/lib/….so")
        if not {"object", "id"} & known.keys():
            raise SettingsError("a PKCS #11 address names the key by object=LABEL or id=%XX")
        if known.get("type", b"private") != b"private":
            raise SettingsError("a PKCS #11 address of a seal key has type=private, or none")
        slot = known.get("slot-id")
        if slot is not None and not (slot.isdigit() and len(slot) < 20):
            raise SettingsError("slot-id in a PKCS #11 address is a number")
        return cls(
            module=module,
            token=_text(known, "token"),
            serial=known.get("serial"),
            slot=int(slot) if slot is not None else None,
            label=_text(known, "object"),
            id=known.get("id"),
        )


def _attributes(text: str, separator: str, names: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name.startswith("pin-"):
            raise SettingsError(f'{name} stands in no address: write pin = "env:NAME" or "file:PATH"')
        if name not in names or not equals or name in found:
            raise SettingsError(f"the PKCS #11 address has {name!r}; it may have {', '.join(names)}, each once")
        found[name] = unquote_to_bytes(value)
    return found


def _text(known: dict[str, bytes], name: str) -> str | None:
    try:
        return known[name].decode("utf-8") if name in known else None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name} in the PKCS #11 address is not UTF-8") from error


class Pkcs11Key:
    """A `KeyDevice`. `pin` fetches the PIN; `certificates` (DER) are looked for in the token when there are none;
    `timeout` is seconds for one call."""

    def __init__(
        self,
        address: Pkcs11Address,
        pin: Callable[[], str],
        *,
        certificates: tuple[bytes, ...] = (),
        timeout: float = 20.0,
    ) -> None:
        if not Path(address.module).is_file():
            raise SettingsError(f"there is no PKCS #11 module at {address.module}")
        self._address = address
        self._pin = pin
        self._certificates = certificates
        self._timeout = timeout
        self._module = _module(address.module)
        self._opened: tuple[int, Any] | None = None

    def __repr__(self) -> str:
        return f"Pkcs11Key({self._address!r})"

    def certificates(self) -> tuple[bytes, ...]:
        if not self._certificates:
            self._certificates = self._call(self._held)
        return self._certificates

    def schemes(self) -> frozenset[str]:
        return frozenset((PSS, PKCS1, ECDSA))

    def sign(self, digest: bytes, algorithm: str, scheme: str) -> bytes:
        if algorithm not in _DIGESTS:
            raise SettingsError(f"a seal key behind PKCS #11 seals with {', '.join(_DIGESTS)}, not {algorithm}")
        return self._call(lambda: self._signature(digest, algorithm, scheme))

    # -- in the module's own thread ---------------------------------------------------------------

    def _signature(self, digest: bytes, algorithm: str, scheme: str) -> bytes:
        from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass

        session = self._session()
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self._address.label, id=self._address.id)
        name = _DIGESTS[algorithm]
        if scheme == ECDSA and key.key_type is KeyType.EC:
            size = _order_size(key[Attribute.EC_PARAMS])
            raw = bytes(key.sign(digest[:size], mechanism=Mechanism.ECDSA))
            half = len(raw) // 2
            return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        if scheme == PSS and key.key_type is KeyType.RSA:
            how = (getattr(Mechanism, name), getattr(MGF, name), len(digest))
            return bytes(key.sign(digest, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=how))
        if scheme == PKCS1 and key.key_type is KeyType.RSA:
            return bytes(key.sign(_DIGEST_INFO[algorithm] + digest, mechanism=Mechanism.RSA_PKCS))
        raise SealKeyUnavailableError(f"the key in the token is of type {key.key_type.name}, its certificate not")

    def _held(self) -> tuple[bytes, ...]:
        """Certificates that lie in the token; the signer's has the key's id, or its label."""
        from pkcs11 import Attribute, ObjectClass

        found = list(self._session().get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}))
        where = f"token {self._address.token or self._address.slot}"
        own = [one for one in found if self._is_own(one[Attribute.ID], one[Attribute.LABEL])]
        if not own:
            raise SealKeyUnavailableError(f'{where}: no certificate has the key\'s name: write certificates = "FILE"')
        signer = bytes(own[0][Attribute.VALUE])
        public = x509.load_der_x509_certificate(signer).public_key()
        return ordered((signer, *(bytes(one[Attribute.VALUE]) for one in found)), public, where)

    def _is_own(self, id_: bytes, label: str) -> bool:
        return id_ == self._address.id if self._address.id is not None else label == self._address.label

    def _session(self) -> Any:
        if self._opened is None or self._opened[0] != self._module.generation:
            self._opened = (self._module.generation, self._login())
        return self._opened[1]

    def _login(self) -> Any:
        from pkcs11 import TokenFlag
        from pkcs11.exceptions import PinIncorrect, PinInvalid, PinLenRange, UserAlreadyLoggedIn

        pin = self._pin()
        token = self._token()
        tried = hashlib.sha256(b"\0".join((token.serial, pin.encode("utf-8")))).digest()
        if tried in self._module.refused:
            raise SealKeyUnavailableError("the token refused this PIN; it is not tried again, so that it does not lock")
        if token.flags & TokenFlag.USER_PIN_LOCKED or token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise SealKeyUnavailableError("the token's PIN is locked, or would be by one more wrong try")
        try:
            return token.open(user_pin=pin)
        except UserAlreadyLoggedIn:  # by another key of this process: the login is the process's, not the session's
            return token.open()
        except (PinIncorrect, PinInvalid, PinLenRange) as error:
            self._module.refused.add(tried)
            raise SealKeyUnavailableError("the token refuses the PIN") from error

    def _token(self) -> Any:
        from pkcs11.exceptions import TokenNotPresent, TokenNotRecognised

        address, found = self._address, []
        for slot in self._module.library().get_slots(token_present=True):
            try:
                token = slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue
            if address.slot is not None and slot.slot_id != address.slot:
                continue
            if address.token is not None and token.label != address.token:
                continue
            if address.serial is None or token.serial == address.serial:
                found.append(token)
        if len(found) != 1:
            which = address.token or address.slot or address.serial
            raise SealKeyUnavailableError(f"{len(found)} tokens are {which!r} for the module {address.module}")
        return found[0]

    # -- for everybody ------------------------------------------------------------------------------

    def _call(self, work: Callable[[], T]) -> T:
        try:
            return self._module.call(work, self._timeout)
        except ArchiveError:
            raise
        except Exception as error:
            from pkcs11.exceptions import PKCS11Error

            if not isinstance(error, (PKCS11Error, OSError)):
                raise
            said = f"{type(error).__name__} {error}".strip()
            raise SealKeyUnavailableError(f"the module {self._address.module} says: {said}") from error


class _Module:
    """A PKCS #11 module of this process, with the only thread that calls it. `generation` counts how often it was
    opened; sessions of an earlier one are gone."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._library: Any = None
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None
        self.generation = 0
        self.refused: set[bytes] = set()

    def library(self) -> Any:
        if self._library is None:
            import pkcs11

            self._library = pkcs11.lib(self._path)
        return self._library

    def call(self, work: Callable[[], T], timeout: float) -> T:
        """Do something in the module's thread; raises what it raises, or that it does not come back."""
        if not self._busy.acquire(timeout=timeout):
            raise SealKeyUnavailableError(f"the module {self._path} has not come back from the call before")
        answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

        def task() -> None:
            try:
                answers.put((work(), None))
            except BaseException as error:  # noqa: BLE001 - it is raised again by who asked
                self._reset()
                answers.put((None, error))
            finally:
                self._busy.release()

        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="pkcs11", daemon=True)
            self._thread.start()
        self._tasks.put(task)
        try:
            result, error = answers.get(timeout=timeout)
        except queue.Empty:
            raise SealKeyUnavailableError(f"the module {self._path} gives no answer within {timeout:g} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def close(self) -> None:
        """Leave nothing open; what goes wrong there went wrong before."""
        if self._library is not None:
            self.call(self._reset, 5.0)

    def _serve(self) -> None:
        while True:
            self._tasks.get()()

    def _reset(self) -> None:
        """Nothing that is open is to be trusted after a failure."""
        self.generation += 1
        library, self._library = self._library, None
        if library is not None and library.initialized:
            from pkcs11.exceptions import PKCS11Error

            try:
                library.finalize()
            except PKCS11Error:
                return  # it is initialised again at the next try, and says then what is wrong


def _order_size(parameters: bytes) -> int:
    """Bytes of the curve's order: ECDSA takes no more of a digest (FIPS 186-5 6.4.1)."""
    from asn1crypto.keys import ECDomainParameters, NamedCurve

    named = ECDomainParameters.load(parameters)
    if named.name != "named":
        raise SealKeyUnavailableError("the key in the token is on a curve without a name")
    sizes = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}
    curve = NamedCurve(named.native).native
    if curve not in sizes:
        raise SealKeyUnavailableError(f"the key in the token is on the curve {curve}, which seals are not made on")
    return sizes[curve]


_modules: dict[tuple[int, str], _Module] = {}
_modules_lock = threading.Lock()


def _module(path: str) -> _Module:
    """The one of this process: a child of a fork starts with none."""
    with _modules_lock:
        return _modules.setdefault((os.getpid(), path), _Module(path))


def close_modules() -> None:
    """Close every module that this process opened; the next call opens it anew."""
    with _modules_lock:
        modules = list(_modules.values())
    for module in modules:
        module.close()
