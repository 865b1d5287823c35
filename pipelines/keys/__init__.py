"""Keys: the keyring, epochs, handles and event ids.

A purpose has one random root for each epoch; everything else derives from it. Only `extend` and `migrate` (behind
`pipelines keys`) make roots; workers read. Nothing here logs; no object that holds a key shows it or can be pickled.

It is pseudonymisation (EDPB guidelines 01/2025): whoever holds a root can test an identifier against its handles.
"""

from pipelines.keys.contents import VERSION
from pipelines.keys.encryption import KeyEncryption, LocalKeyEncryption
from pipelines.keys.epochs import RootId, epoch_start, epoch_text
from pipelines.keys.eventid import BLOCK_BYTES, block_in, event_block, partition_head, topic_hash
from pipelines.keys.keyring import Keyring
from pipelines.keys.leftovers import find_leftovers, sweep
from pipelines.keys.making import Extension, extend, rewrap
from pipelines.keys.migrating import Migration, migrate
from pipelines.keys.places import DEFAULT_KEK_FILE, DEFAULT_KEYRING, kek_for_making, open_keyring
from pipelines.keys.subkeys import HandleMaker, Subkeys, SubkeySource
from pipelines.keys.throwaway import ThrowawayKeyring, throwaway_keyring

__all__ = [
    "BLOCK_BYTES",
    "DEFAULT_KEK_FILE",
    "DEFAULT_KEYRING",
    "VERSION",
    "Extension",
    "HandleMaker",
    "KeyEncryption",
    "Keyring",
    "LocalKeyEncryption",
    "Migration",
    "RootId",
    "SubkeySource",
    "Subkeys",
    "ThrowawayKeyring",
    "block_in",
    "epoch_start",
    "epoch_text",
    "event_block",
    "extend",
    "find_leftovers",
    "kek_for_making",
    "migrate",
    "open_keyring",
    "partition_head",
    "rewrap",
    "sweep",
    "throwaway_keyring",
    "topic_hash",
]
