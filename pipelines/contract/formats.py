"""Formats: what a text looks like, whatever its field is called. Sees values one at a time, and keeps none.

A format has the loosest class that what it finds may have. Its test takes one word, at most `LONGEST` characters, and
is linear in it. What only looks alike (a version of four numbers, a package's name, a counter of fifteen digits) is
told apart here where one word is enough, and in `explain.lint` where it takes the field's other values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from uuid import UUID

from pipelines.contract.avro import FieldClass

LONGEST: Final = 2_048
_MOST_WORDS: Final = 128
_BETWEEN: Final = re.compile(r"[\s,;|<>\"'=]+")
_PORT: Final = re.compile(r":[0-9]{1,5}", re.ASCII)
_PREFIX: Final = re.compile(r"/[0-9]{1,3}", re.ASCII)
_UUID: Final = re.compile(r"(urn:uuid:)?\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.ASCII | re.IGNORECASE)
_MAC: Final = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2}", re.ASCII | re.IGNORECASE)
_EMAIL: Final = re.compile(r"(mailto:)?[^@\s:/]{1,64}@[^@\s/]{1,253}\.[a-z0-9-]{2,63}", re.IGNORECASE)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://\S{1,}|www\.[a-z0-9-]{1,63}\.\S{2,}", re.ASCII | re.IGNORECASE)
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*", re.ASCII)
_TOKEN: Final = re.compile(
    r"(gh[oprsu]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|rk_live_|sk-|hvs\.|AIza|AKIA|ASIA|ya29\.)[A-Za-z0-9_.-]{12,}"
    r"|-----BEGIN",
    re.ASCII,
)
_SCHEME: Final = re.compile(r"(bearer|basic|digest) [A-Za-z0-9+/=_.~-]{8,}", re.ASCII | re.IGNORECASE)
_LABELS: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_PHONE: Final = re.compile(r"(tel:)?\+[1-9][0-9 ().-]{6,20}|\([0-9]{3}\) ?[0-9]{3}-[0-9]{4}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{15}", re.ASCII)
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_PAIR: Final = re.compile(
    r"(geo:)?\s?[-+]?([0-9]{1,2})\.[0-9]{3,15}\s?[,; ]\s?[-+]?([0-9]{1,3})\.[0-9]{3,15}"
    r"|[0-9]{1,3}°.{1,12}[NSEW].{0,24}",
    re.ASCII,
)
# Ends of names that are rarely anything else. Of the countries', not those that files and packages end in as well.
_ENDINGS: Final = """
com net org edu gov mil int info biz name app dev cloud online site store tech xyz arpa onion io co ai
example test invalid localhost local internal intranet lan corp home private
de uk fr nl it es se dk fi ch cz ru ua tr br mx ar cl cn jp kr au nz za ca us eu ie pt gr hu ro bg hr sk si lt lv ee
is lu il ae sa sg hk tw th vn ph tv me be at no"""
_TOP_LEVEL: Final = frozenset(_ENDINGS.split())
_REVERSED: Final = frozenset({"com", "org", "net", "io", "de", "edu", "gov", "app", "dev", "eu", "me"})


@dataclass(frozen=True, slots=True)
class Format:
    """A way to look. `class_` is the loosest class for it, `least` the share of `among` that must look so."""

    name: str
    says: str
    class_: FieldClass
    test: Callable[[str], bool]
    among: Callable[[str], bool] = lambda _: True
    least: float = 0.0


def looks_like(text: str) -> Iterator[Format]:
    """The formats of a text: of the first of its words that has one."""
    text = text[:LONGEST].strip()
    for word in (text, *_BETWEEN.split(text)[:_MOST_WORDS]):
        found = next((one for one in WORDED if one.test(word)), None)
        if found is not None:
            yield found
            return
    yield from (one for one in NUMBERED if one.test(text))


def _ipv4(word: str) -> bool:
    return _address(word, IPv4Address)


def _ipv6(word: str) -> bool:
    return ":" in word and _address(word, IPv6Address)


def _address(word: str, family: type[IPv4Address | IPv6Address]) -> bool:
    host, _, port = word.rpartition(":")
    if word.startswith("[") and "]" in word:
        bare = word[1 : word.index("]")]
    elif family is IPv4Address and _PORT.fullmatch(f":{port}"):
        bare = host or word
    else:
        bare, _, prefix = word.partition("/")
        bare = bare if not prefix or _PREFIX.fullmatch(f"/{prefix}") else ""
    try:
        address = family(bare)
    except (AddressValueError, ValueError):
        return False
    return int(address) > 0  # "::" and 0.0.0.0 are nobody's


def _uuid(word: str) -> bool:
    return _UUID.fullmatch(word) is not None and UUID(word).int not in (0, (1 << 128) - 1)


def _mac(word: str) -> bool:
    return _MAC.fullmatch(word) is not None and len(set(re.sub(r"[:.-]", "", word))) > 1


def _hostname(word: str) -> bool:
    host = _PORT.sub("", word) if word.count(":") == 1 else word
    labels = host.rstrip(".").lower().split(".")
    if len(labels) < 2 or labels[-1] not in _TOP_LEVEL or labels[0] in _REVERSED:  # noqa: PLR2004 - a dot inside
        return False
    return all(_LABELS.fullmatch(label) for label in labels) and any(label.isalpha() for label in labels)


def _coordinates(word: str) -> bool:
    found = _PAIR.fullmatch(word)
    return found is not None and int(found[2] or 0) <= 90 and int(found[3] or 0) <= 180  # noqa: PLR2004 - degrees


def _phone(word: str) -> bool:
    return _PHONE.fullmatch(word) is not None and 8 <= sum(char.isdigit() for char in word) <= 15  # noqa: PLR2004 - E.164


def _number(kind: str, text: str) -> bool:
    """Whether a number is valid by the library's module for its kind, which is loaded with its registry when needed."""
    valid: bool = import_module(f"stdnum.{kind}").is_valid(text)
    return valid


def _fifteen(text: str) -> bool:
    return _DIGITS.fullmatch(re.sub(r"[ -]", "", text)) is not None


WORDED: Final = (
    Format(
        "token",
        "a credential: a JSON web token, a key with a known prefix, a scheme of HTTP",
        FieldClass.CREDENTIAL,
        lambda word: any(kind.match(word) for kind in (_JWT, _TOKEN, _SCHEME)),
    ),
    Format("url", "a URL", FieldClass.CONTENT, lambda word: _URL.fullmatch(word) is not None),
    Format(
        "e-mail",
        "an e-mail address",
        FieldClass.ACCOUNT_IDENTIFIER,
        lambda word: _EMAIL.fullmatch(word) is not None,
    ),
    Format("uuid", "a UUID", FieldClass.DEVICE_IDENTIFIER, _uuid),
    Format("mac", "a MAC address", FieldClass.DEVICE_IDENTIFIER, _mac),
    Format("ipv4", "an IPv4 address", FieldClass.NETWORK_IDENTIFIER, _ipv4),
    Format("ipv6", "an IPv6 address", FieldClass.NETWORK_IDENTIFIER, _ipv6),
    Format("coordinates", "a place on the earth", FieldClass.CONTENT, _coordinates),
    Format("phone", "a telephone number", FieldClass.ACCOUNT_IDENTIFIER, _phone),
    Format(
        "iban",
        "an account at a bank (its check digits are right)",
        FieldClass.ACCOUNT_IDENTIFIER,
        lambda word: _IBAN.fullmatch(word) is not None and _number("iban", word),
    ),
    Format("hostname", "the name of a host", FieldClass.NETWORK_IDENTIFIER, _hostname),
)
# One number of ten has a right check digit by chance, and many begin as a network's code does: it takes most of them.
NUMBERED: Final = (
    Format(
        "imei",
        "an IMEI (its check digit is right)",
        FieldClass.DEVICE_IDENTIFIER,
        lambda text: _fifteen(text) and _number("imei", text),
        _fifteen,
        0.5,
    ),
    Format(
        "imsi",
        "an IMSI (of a network that there is)",
        FieldClass.ACCOUNT_IDENTIFIER,
        lambda text: _fifteen(text) and _number("imsi", text),
        _fifteen,
        0.9,
    ),
)
FORMATS: Final = (*WORDED, *NUMBERED)
