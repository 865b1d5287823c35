"""Where the keyring and its key-encryption key lie by default, and when it is safe to make the latter."""

from pathlib import Path
from typing import Final

from pipelines.keys.encryption import LocalKeyEncryption
from pipelines.keys.keyring import Keyring
from pipelines.keys.leftovers import sweep
from pipelines.trouble import Exit, Trouble

DEFAULT_KEYRING: Final = Path(".pipelines/keyring.json")
DEFAULT_KEK_FILE: Final = Path(".pipelines/kek")


def open_keyring(keyring: Path | None = None, kek_file: Path | None = None, *, hold: bool = False) -> Keyring:
    """Open a keyring under a local key-encryption key; None means the default place.

    `hold` marks it as in use for as long as the object lives, so that it is not migrated meanwhile.

    Raises:
        Trouble: as in both `open`s, and as in `Keyring.hold`.
    """
    opened = Keyring(keyring or DEFAULT_KEYRING, LocalKeyEncryption.open(kek_file or DEFAULT_KEK_FILE))
    if hold:
        opened.hold()
    else:
        opened.read()
    return opened


def kek_for_making(keyring: Path | None = None, kek_file: Path | None = None) -> tuple[LocalKeyEncryption, bool]:
    """The key-encryption key to make roots under, and whether it was made just now.

    It is made only in its default place and only beside no keyring. A key file that was named but is not there is most
    likely a secret that was not mounted: a new key there would be lost with the container, and the keyring with it.

    Raises:
        Trouble: 3 if the named file is not there; 4 if there is a keyring but not its key, or as `LocalKeyEncryption`.
    """
    found = LocalKeyEncryption.find(kek_file or DEFAULT_KEK_FILE)
    if found is not None:
        sweep(kek_file or DEFAULT_KEK_FILE)
        return found, False
    if kek_file is not None:
        raise Trouble(
            f"the key-encryption key that you named, {kek_file}, is not there, and is not made for you",
            hint=f"Mount it. If it never existed: (umask 077; head -c 32 /dev/urandom > {kek_file}) and back it up.",
        )
    keyring = keyring or DEFAULT_KEYRING
    if keyring.exists() or keyring.is_symlink():
        raise Trouble(
            f"there is a keyring at {keyring}, but its key-encryption key {DEFAULT_KEK_FILE} is gone",
            hint="Restore the key from your backup. A new one opens none of these roots; "
            "only if it is lost for good, move the keyring away and run this again.",
            exit_code=Exit.REFUSED,
        )
    return LocalKeyEncryption.create(DEFAULT_KEK_FILE), True
