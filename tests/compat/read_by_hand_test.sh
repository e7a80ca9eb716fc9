#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A second reader of the bundle format, written from core/evidence/FORMAT.md
# with od, dd, zstd and sha256sum: finds the metadata without decoding payload,
# checks every frame of the seal, takes one file out by its offset:
# read_by_hand_test.sh <seal_folder_main>.
set -eu
LC_ALL=C
export LC_ALL
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
fail() {
  printf 'NOT OK: %s\n' "$*"
  exit 1
}

mkdir "$top/source" "$top/evidence"
head -c 9000000 /dev/urandom >"$top/source/model.safetensors"
seq 100000 >"$top/source/training.jsonl"
printf '{"a": 1}\n' >"$top/source/config.json"
"$1" "$top/source" "$top/evidence" >/dev/null
cd "$top/evidence"
bundle=E001.tar.zst
size=$(stat -c %s $bundle)

# number OFFSET BYTES: an unsigned little-endian integer of the bundle.
number() { od -An -v --endian=little -j "$1" -N "$2" -t "u$2" $bundle | tr -d ' '; }
hex() { od -An -v -j "$1" -N "$2" -t x1 $bundle | tr -d ' \n'; }
# frame OFFSET SIZE
frame() { tail -c "+$(($1 + 1))" $bundle | head -c "$2"; }

# Seek table: the last 9 bytes say how many entries of 12 bytes stand before.
[ "$(hex $((size - 4)) 4)" = b1ea928f ] || fail "seek table magic"
[ "$(hex $((size - 5)) 1)" = 80 ] || fail "seek table descriptor"
count=$(number $((size - 9)) 4)
table=$((size - 9 - 12 * count - 8))
[ "$(number $table 4)" = $((0x184D2A5E)) ] || fail "skippable magic of the table"
[ "$(number $((table + 4)) 4)" = $((12 * count + 9)) ] || fail "size of the table"

# Metadata pointer: the last entry, 40 bytes.
pointer=$((table - 40))
[ "$(number $pointer 4)" = $((0x184D2A5D)) ] || fail "pointer magic"
[ "$(number $((pointer + 4)) 4)" = 32 ] || fail "pointer size"
[ "$(hex $((pointer + 8)) 8)" = 494d504f554e4400 ] || fail "pointer name"
[ "$(number $((pointer + 16)) 4)" = 1 ] || fail "version"
first=$(number $((pointer + 20)) 4)
meta_offset=$(number $((pointer + 24)) 8)
tar_size=$(number $((pointer + 32)) 8)

# Frames: the table, the seal and the bytes agree.
sed -n 's/^    \[\([0-9]*\), \([0-9]*\), \([0-9]*\), \([0-9]*\), "\([0-9a-f]*\)"\],*$/\1 \2 \3 \4 \5/p' \
  E001.seal.json >"$top/frames"
[ "$(wc -l <"$top/frames")" = "$count" ] || fail "frames in the seal"
i=0 offset=0 tar_offset=0
while read -r at stored content _ digest; do
  [ "$at" = "$offset" ] || fail "frame $i: offset"
  [ "$(number $((table + 8 + 12 * i)) 4)" = "$stored" ] || fail "frame $i: stored"
  [ "$(number $((table + 12 + 12 * i)) 4)" = "$content" ] || fail "frame $i: content"
  [ "$(frame "$at" "$stored" | sha256sum | cut -c1-64)" = "$digest" ] || fail "frame $i: digest"
  [ "$i" != "$first" ] || { meta_at=$offset; [ "$tar_offset" = "$meta_offset" ] || fail "metadata offset"; }
  [ "$content" = 0 ] || [ "$(frame "$at" "$stored" | zstd -dc | wc -c)" = "$content" ] || fail "frame $i: decodes"
  offset=$((offset + stored)) tar_offset=$((tar_offset + content)) i=$((i + 1))
done <"$top/frames"
[ "$offset" = "$table" ] || fail "frames do not fill the file"
[ "$tar_offset" = "$tar_size" ] || fail "tar size"

# Metadata alone, no payload decoded.
mkdir "$top/tags"
frame "$meta_at" $((pointer - meta_at)) | zstd -dc | tar -C "$top/tags" -xf -
[ ! -e "$top/tags/data" ] || fail "payload among the metadata"
(cd "$top/tags" && sed 's|%25|%|g' tagmanifest-sha256.txt | sha256sum -c --quiet) || fail "tag manifest"
[ "$(sed -n 's/.*"manifest_sha256": "\([0-9a-f]*\)".*/\1/p' E001.seal.json | head -n 1)" = \
  "$(sha256sum "$top/tags/manifest-sha256.txt" | cut -c1-64)" ] || fail "manifest digest"

# One file by its member_offset: headers and content stand in the tar there.
for name in config.json model.safetensors training.jsonl; do
  line=$(grep -F "\"name\":\"$name\"" "$top/tags/meta/files.jsonl")
  member=$(printf '%s' "$line" | sed 's/.*"member_offset":\([0-9]*\).*/\1/')
  zstd -dc $bundle | tail -c "+$((member + 1))" | tar -xOf - "./data/$name" 2>/dev/null \
    | cmp - "$top/source/$name" || fail "$name by its offset"
  printf '%s' "$line" | grep -q "$(sha256sum <"$top/source/$name" | cut -c1-64)" || fail "$name: digest"
done
echo ok
