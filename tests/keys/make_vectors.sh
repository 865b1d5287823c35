#!/bin/sh
# Known answers for subkeys, handles, event ids and wrapping, by openssl 3 alone: no line of ours is in them.
# Usage: tests/keys/make_vectors.sh > tests/keys/vectors.txt
# The inputs are counting bytes and made-up identifiers; nothing here is or ever was a key in use.
set -eu

root=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
kek=202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
topic_id=404142434445464748494a4b4c4d4e4f
identifier=SYNTHETIC-device-0001

hex() { od -An -v -tx1 | tr -d ' \n'; }
unhex() { # octal escapes: the one way to write bytes that every printf knows
    printf '%s\n' "$1" | fold -w 2 | while read -r byte; do printf '%b' "\\0$(printf '%03o' "0x$byte")"; done
}
lower() { tr 'A-F' 'a-f' | tr -d ':\n'; }

# RFC 5869 section 2.3: expand only, no salt, no extract
expand() { openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt mode:EXPAND_ONLY -kdfopt hexkey:"$1" -kdfopt info:"$2" HKDF | lower; }
# handle: HMAC-SHA256 over kind (1 byte), length (4 bytes, big endian), identifier; the first 16 bytes
mac() { { unhex "$2"; unhex "$(printf '%08x' "${#3}")"; printf '%s' "$3"; } | openssl mac -digest SHA256 -macopt hexkey:"$1" -in - HMAC | lower | cut -c 1-32; }
# event id: one AES-256 block
block() { unhex "$2" | openssl enc -aes-256-ecb -K "$1" -nopad | hex; }
# RFC 3394, default initial value
wrap() { unhex "$2" | openssl enc -id-aes256-wrap -K "$1" -iv A6A6A6A6A6A6A6A6 | hex; }

handle_key=$(expand "$root" handle)
event_id_key=$(expand "$root" event-id)
topic_hash=$(unhex "$topic_id" | openssl dgst -sha256 -binary | hex | cut -c 1-8)
first=${topic_hash}000000000000000000000000
later=${topic_hash}000000070000000102030405

cat <<END
root=$root
kek=$kek
topic_id=$topic_id
identifier=$identifier
handle_key=$handle_key
event_id_key=$event_id_key
handle_device=$(mac "$handle_key" 01 "$identifier")
handle_account=$(mac "$handle_key" 02 "$identifier")
handle_device_empty=$(mac "$handle_key" 01 "")
topic_hash=$topic_hash
block_partition_0_offset_0=$first
block_partition_7_offset_4328719365=$later
event_id_partition_0_offset_0=$(block "$event_id_key" "$first")
event_id_partition_7_offset_4328719365=$(block "$event_id_key" "$later")
wrapped_root=$(wrap "$kek" "$root")
END
