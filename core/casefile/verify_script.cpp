// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/verify_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/record_files.hpp"
#include "core/casefile/schema.hpp"
#include "core/casefile/verify_script_signers.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

/// `@NAME@` is a value of the export. Plain sh: tried with dash, bash and
/// busybox sh, mawk and gawk.
constexpr std::string_view kTemplate = R"SH(#!/bin/sh
# Checks this export of case @CASE@ without impound.
#
#   sh VERIFY.sh          every step, the signature of every entry included
#   sh VERIFY.sh --all    the same, and prints every gap however many there are
#   sh VERIFY.sh --signer FINGERPRINT
#                         the case must have been opened by this key: ask the lead
#   sh VERIFY.sh --head HASH
#                         an entry must have this head: one that somebody wrote down
#   sh VERIFY.sh --witness FINGERPRINT
#                         the cosignature must be by that key (SHA-256 of its 32
#                         raw bytes), as its owner gave it to you: only then it is
#                         called an anchor
#
# Needed: a POSIX shell, coreutils, sed, awk, GNU tar, zstd, openssl 3, sqlite3.
# It writes into a temporary folder only, and unpacks nothing.
#
# The last line is
#   "ALL OK"             everything that is here was checked (exit status 0);
#   "THE RECORD IS OK"   and then what lies here that is no part of it and was
#                        not checked (exit status 0);
#   "UNSIGNED"           what is here was checked and is right, but whoever made
#                        this export could not record it and signed nothing, so
#                        that this is all is nobody's word (exit status 2);
#   "FAIL: "             and the first thing that is wrong (exit status 1).
# What even "ALL OK" does not prove is printed in front of it.
#
# What it checks
#   1  case.db has the tables, views and triggers that impound makes and nothing
#      else, so that a query answers from the record; custody.jsonl and
#      custody.sig are what case.db holds.
#   2  The chain: every line names the SHA-256 of the whole line before it, so
#      that no entry can be changed, taken out, put in or moved.
#   3  The signature (Ed25519) of each entry over its line, by a key that the
#      record itself introduced before. All keys are printed first, with who says
#      whose they are: the one that opened the case, those that a signer with the
#      right to introduce brought in. An entry by a key that nobody vouched for,
#      that was rotated or revoked, or that lacks the right for its act, fails.
#   4  The signed head, checkpoint.note: signature, number of entries, last hash.
#      Only this step notices entries that were cut off the end. The earlier heads
#      are all in case.db, as the record says that they were signed.
#      The Merkle root that each head states is computed anew.
#   5  Another key's signature on that head, if witness.pub.pem is here.
#   6  A time stamp (RFC 3161) of that head, if checkpoint.tsr is here.
#   7  Every bundle in exhibits/ is the one that was sealed, decodes, and holds
#      exactly what its manifests list.
#   8  Every comparison that the record speaks of is here in full, with the
#      baseline that it was made with.
#   9  Every other file of this export is the one in export.list, which the
#      exporter signed; nothing was added to it.
#  10  Findings and gaps, read from custody.jsonl by this script, not by the views
#      of case.db.
#
# What this folder consists of, and what covers each part of it
@TABLE@#   anything else          outside the record: named in step 9, and not checked
#
# What it cannot know
#   Whose the first key is: give its fingerprint, as the lead wrote it down, with
#   --signer. Without, somebody else may have opened a case of this name.
#   Whoever holds the first key and this folder could write all of it anew, this
#   script as well. Compare the head below with one that you got another way (a
#   printed sheet, a mail of that day, a witness, a time stamp), or give that one
#   with --head:
#
#     entries  @ENTRIES@
#     head     @HEAD@
#
#   A matching digest proves that a bundle is unchanged, not that it is complete:
#   read what its meta/skipped.jsonl lists, and the gaps that step 10 prints.

LC_ALL=C
export LC_ALL
unset CDPATH
umask 077

CASE='@CASE@'
CASE_PATTERN='@CASE_PATTERN@'
ORIGIN='@ORIGIN@'
ENTRIES=@ENTRIES@
HEAD=@HEAD@
WITH_EXHIBITS=@WITH_EXHIBITS@
# no: this export was made where it could not be recorded; see NOT-RECORDED.txt
SIGNED=@SIGNED@
SEALED=@SEALED@

# To the real output even where that of a step goes to a file.
exec 3>&1
fail() {
  # One line of plain characters, whatever names are in it.
  [ "$LATER" = no ] || cat "$W/later" >&3
  printf 'FAIL: %s' "$*" | tr -c '\040-\176' '?' >&3
  echo >&3
  exit 1
}
LATER=no
say() {
  if [ "$LATER" = yes ]; then
    printf '%s\n' "$*" >>"$W/later"
  else
    printf '%s\n' "$*"
  fi
}
# Text of the record for a terminal: no control character but the line break.
plain() { tr '\000-\011\013-\037\177' '?'; }

ALL=no
WANTED_SIGNER=
WANTED_HEAD=
WITNESS=
# digits OPTION VALUE: 64 digits, however they were written down.
digits() {
  written=$(printf '%s' "$2" | tr 'A-F' 'a-f' | tr -d ' ')
  case "$written" in
    *[!0-9a-f]*) fail "$1: expected 64 hexadecimal digits" ;;
  esac
  [ ${#written} = 64 ] || fail "$1: expected 64 hexadecimal digits"
}
while [ $# -gt 0 ]; do
  case "$1" in
    --all) ALL=yes ;;
    --signer)
      digits --signer "${2-}"
      WANTED_SIGNER=$written
      shift ;;
    --head)
      digits --head "${2-}"
      WANTED_HEAD=$written
      shift ;;
    --witness)
      digits --witness "${2-}"
      WITNESS=$written
      shift ;;
    *) fail "unknown argument, expected --all, --signer FINGERPRINT, --head HASH, --witness FINGERPRINT" ;;
  esac
  shift
done

SELF=${0##*/}
cd -- "$(dirname -- "$0")" || fail "cannot change to the folder of this script"

for tool in sqlite3 openssl split sha256sum base64 sed awk sort cmp comm paste \
  tail head cut tr wc uniq find xargs mktemp truncate basenc od date; do
  command -v "$tool" >/dev/null 2>&1 || fail "the tool $tool is missing here"
done
if [ "$WITH_EXHIBITS" = yes ] && [ "$SEALED" -gt 0 ]; then
  for tool in zstd tar tee; do
    command -v "$tool" >/dev/null 2>&1 || fail "the tool $tool is missing here"
  done
  tar --version 2>/dev/null | grep -q 'GNU tar' \
    || fail "this tar is not GNU tar, which is needed for --to-command"
fi
# A shell with tools of its own (a static busybox) takes those before the ones
# that were found above.
SHORT=$(mktemp) || fail "there can be no temporary file"
printf xy >"$SHORT"
truncate -s -1 "$SHORT" 2>/dev/null
SHORTENED=$(cat "$SHORT")
rm -f "$SHORT"
[ "$SHORTENED" = x ] || fail "this truncate cannot shorten a file (-s -1): that of GNU coreutils is needed"
openssl pkeyutl -help 2>&1 | grep -q rawin \
  || fail "this openssl is too old: openssl 3 is needed for Ed25519 (-rawin)"
case "$SIGNED" in
  yes) REQUIRED='@REQUIRED@'; CONTRADICTS='@ONLY_UNSIGNED@'; LISTED='@LISTED@' ;;
  *) REQUIRED='@REQUIRED_UNSIGNED@'; CONTRADICTS='@ONLY_SIGNED@'; LISTED='@LISTED_UNSIGNED@' ;;
esac
for file in $CONTRADICTS; do
  [ ! -e "$file" ] && [ ! -h "$file" ] \
    || fail "$file: this script was made for an export without it"
done
for file in $REQUIRED; do
  [ -f "$file" ] && [ ! -h "$file" ] \
    || fail "the file $file is missing from this export"
done
# What others may add to an export: a file or nothing.
for file in @ADDED@; do
  [ -h "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; } \
    && fail "$file is no file"
done
# sqlite3 would take these for changes of case.db that are not finished.
for file in @FORBIDDEN@; do
  [ ! -e "$file" ] && [ ! -h "$file" ] \
    || fail "$file: it would change what case.db says, and is no part of the record"
done

W=$(mktemp -d) || fail "cannot make a temporary folder"
trap 'rm -rf "$W"' EXIT
trap 'exit 1' HUP INT TERM
W=$(cd "$W" && pwd) || fail "cannot use the temporary folder"
case "$W" in
  *\'*) fail "the temporary folder has a quote in its name; set TMPDIR" ;;
esac
mkdir "$W/lines" "$W/keys" "$W/empty" "$W/objects" "$W/heads" "$W/tree" \
  || fail "cannot write to $W"

# ask SQL: from case.db, which is neither changed nor locked.
ask() {
  sqlite3 -batch -init /dev/null -separator ' ' \
    'file:case.db?mode=ro&immutable=1' "$1" 2>"$W/sqlite.err" \
    || fail "case.db cannot be read: $(head -n 1 "$W/sqlite.err")"
}

# Digest, type and name of every object of a case.db of that format.
known_objects() {
  case "$1" in
@OBJECTS@    *) fail "case.db: its format is $1, this script knows 1 to @FORMAT@" ;;
  esac
}

# The signers are printed before anything else, and can only be read from a
# record that holds together.
: >"$W/later"
LATER=yes
say "1. the record in case.db and in custody.jsonl"
[ "$(tail -c 1 custody.jsonl | od -An -tx1 | tr -d ' ')" = 0a ] \
  || fail "custody.jsonl: the last record is torn, it does not end its line"
# Before anything else is asked: an object that is not ours could answer.
ask "PRAGMA user_version" >"$W/version"
known_objects "$(cat "$W/version")" >"$W/rows"
sort "$W/rows" >"$W/known"
ask "SELECT hex(type) || ' ' || hex(name) || ' ' || hex(tbl_name) || ' ' ||
       CASE WHEN sql IS NULL THEN '-' ELSE hex(sql) END
     FROM sqlite_master ORDER BY rowid" >"$W/rows"
ask "SELECT replace(type || ' ' || name, char(10), '?') FROM sqlite_master
     ORDER BY rowid" >"$W/names"
[ -s "$W/rows" ] || fail "case.db holds no tables"
(cd "$W/objects" && split -l 1 -a 7 -d - r. && find . -name 'r.*' | sort \
  | xargs sha256sum) <"$W/rows" | cut -c1-64 | paste -d ' ' - "$W/names" \
  | sort >"$W/found"
comm -13 "$W/known" "$W/found" >"$W/strange"
[ -s "$W/strange" ] && fail "case.db: the $(head -n 1 "$W/strange" | cut -c66-) \
is not one that impound makes"
comm -23 "$W/known" "$W/found" >"$W/absent"
[ -s "$W/absent" ] && fail "case.db: the $(head -n 1 "$W/absent" | cut -c66-) \
is missing"
ask "SELECT line FROM custody ORDER BY seq" >"$W/rows"
cmp custody.jsonl "$W/rows" >"$W/cmp" 2>&1 \
  || fail "custody.jsonl and case.db do not hold the same record: $(sed "s|$W/rows|case.db|g" "$W/cmp" | head -n 1)"
ask "SELECT signature FROM custody ORDER BY seq" >"$W/rows"
cmp custody.sig "$W/rows" >"$W/cmp" 2>&1 \
  || fail "custody.sig and case.db do not hold the same signatures: $(sed "s|$W/rows|case.db|g" "$W/cmp" | head -n 1)"
say "   every object of case.db is one that impound makes; the same bytes"

ask "SELECT seq FROM custody WHERE json_extract(line,'\$.v')=1
       AND json_extract(line,'\$.outcome')
       IN ('intended','skipped','incomplete') LIMIT 1" >"$W/words"
[ -s "$W/words" ] \
  && fail "entry $(cat "$W/words"): a line of version 1 with a word of version 2"

# An exhibit is begun once, then sealed once.
ask "SELECT seq, json_extract(line,'\$.action'), json_extract(line,'\$.item')
     FROM custody
     WHERE json_extract(line,'\$.action') IN ('acquire.begin','bundle.seal')
     ORDER BY seq" | awk '
  $2 == "acquire.begin" && begun[$3]++ { print "entry " $1 ": begins " $3 " again"; exit }
  $2 == "bundle.seal" && !begun[$3] { print "entry " $1 ": seals " $3 ", which no entry before began"; exit }
  $2 == "bundle.seal" && sealed[$3]++ { print "entry " $1 ": seals " $3 " again"; exit }' \
  >"$W/broken"
[ -s "$W/broken" ] && fail "$(tr -c '\040-\176' '?' <"$W/broken")"

say "2. the chain"
(cd "$W/lines" && split -l 1 -a 7 -d - r.) <custody.jsonl \
  || fail "custody.jsonl cannot be split"
(cd "$W/lines" && find . -name 'r.*' | sort | xargs sha256sum) \
  | cut -c1-64 >"$W/h"
{ printf '%064d\n' 0; sed '$d' "$W/h"; } >"$W/expected"
# The key "prev" by its place in the line, so that no other text passes for it.
sed 's/^{"v":[123],"case":"'"$CASE_PATTERN"'","seq":\([0-9]*\),"prev":"\([0-9a-f]\{64\}\)","id":".*/\1 \2/
t
s/.*/unreadable -/' custody.jsonl >"$W/stated"
paste -d ' ' "$W/stated" "$W/expected" | awk '
  $1 != NR { print "entry " NR ": calls itself " $1; exit }
  $2 != $3 { print "entry " NR ": prev is " $2 ", the line before has SHA-256 " $3; exit }' \
  >"$W/broken"
[ -s "$W/broken" ] && fail "the chain breaks at $(cat "$W/broken")"
COUNT=$(($(wc -l <custody.jsonl)))
LAST=$(tail -n 1 "$W/h")
say "   $COUNT entries, head $LAST"

@SIGNERS@
say "3. the signatures of the entries, and whether their signers may sign them"
ask "SELECT seq, substr(json_extract(line,'\$.actor.auth'),-64)
     FROM custody ORDER BY seq" >"$W/signers"
[ "$(($(wc -l <"$W/signers")))" = "$COUNT" ] \
  || fail "the signers of the entries cannot be read"
# One signature has one spelling: 64 bytes in base64, nothing before or behind.
grep -n -v -x '[A-Za-z0-9+/]\{85\}[AQgw]==' custody.sig | cut -d : -f 1 >"$W/odd"
[ -s "$W/odd" ] \
  && fail "entry $(head -n 1 "$W/odd"): its signature is not 64 bytes in base64 and nothing else"
CHECKED=0
exec 4<custody.sig
while read -r seq finger; do
  IFS= read -r signature <&4 || fail "entry $seq: custody.sig has no line for it"
  case "$finger" in
    *[!0-9a-f]*) fail "entry $seq: names no key" ;;
  esac
  [ -f "$W/keys/$finger" ] \
    || fail "entry $seq: signed by key $finger, which the record does not introduce"
  read -r since <"$W/keys/$finger.since"
  [ "$since" -le "$seq" ] \
    || fail "entry $seq: signed by key $finger, which the record introduces later"
  printf '%s' "$signature" | base64 -d >"$W/sig" 2>/dev/null \
    || fail "entry $seq: its signature is not base64"
  openssl pkeyutl -verify -pubin -inkey "$W/keys/$finger" -rawin \
    -in "$W/lines/r.$(printf '%07d' $((seq - 1)))" -sigfile "$W/sig" >/dev/null 2>&1 \
    || fail "entry $seq: the signature does not fit the line"
  CHECKED=$((CHECKED + 1))
done <"$W/signers"
exec 4<&-
[ -s "$W/wrong" ] && fail "$(head -n 1 "$W/wrong")"
say "   all $CHECKED entries"

say "4. the signed head"
# The note of a key: four lines, an empty one, and a line "— origin signature",
# whose first four bytes name the key.
# key_id KEY: sets KEY_ID, the four bytes that name it in a note.
key_id() {
  KEY_ID=$({ printf '%s\n\001' "$ORIGIN"
    openssl pkey -pubin -in "$1" -outform DER 2>/dev/null | tail -c 32; } | sha256sum | cut -c1-8)
}
# signed_by FILE KEY ID: true if its first signature is KEY's; leaves $W/body.
signed_by() {
  sed '/^$/,$d' "$1" >"$W/body"
  sed -n '6s/^— [^ ]* //p' "$1" >"$W/line"
  grep -q -x '[A-Za-z0-9+/]\{90\}[AEIMQUYcgkosw048]=' "$W/line" || return 1
  [ "$(sed -n 6p "$1")" = "— $ORIGIN $(cat "$W/line")" ] || return 1
  base64 -d <"$W/line" >"$W/sig4" 2>/dev/null
  [ "$(head -c 4 "$W/sig4" | od -An -tx1 | tr -d ' \n')" = "$3" ] || return 1
  tail -c 64 "$W/sig4" >"$W/sig"
  openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$W/body" -sigfile "$W/sig" >/dev/null 2>&1
}
head_of_export() {
key_id signer.pub.pem
signed_by checkpoint.note signer.pub.pem "$KEY_ID" \
  || fail "checkpoint.note: the signature does not fit its text and signer.pub.pem"
finger=$(openssl pkey -pubin -in signer.pub.pem -outform DER 2>/dev/null \
  | tail -c 32 | sha256sum | cut -c1-64)
[ -f "$W/keys/$finger" ] \
  || fail "signer.pub.pem: the record does not introduce this key ($finger)"
[ -f "$W/keys/$finger.until" ] \
  && fail "signer.pub.pem: key $finger signs nothing since entry $(cat "$W/keys/$finger.until")"
[ "$(head -n 1 "$W/body")" = "$ORIGIN" ] \
  || fail "checkpoint.note: it is the head of another case"
[ "$(wc -l <"$W/body")" -eq 4 ] || fail "checkpoint.note: it has not four lines"
SIZE=$(sed -n 2p "$W/body")
[ "$SIZE" = "$COUNT" ] \
  || fail "checkpoint.note covers $SIZE entries, custody.jsonl has $COUNT"
STATED=$(sed -n 's/^chain //p' "$W/body")
[ "$STATED" = "$LAST" ] \
  || fail "checkpoint.note names the head $STATED, the chain ends with $LAST"
SIGNER=$finger
say "   covers all $COUNT entries, signed by key $finger"
}
if [ "$SIGNED" = yes ]; then
  head_of_export
else
  ask "SELECT coalesce(max(size),0) FROM heads" >"$W/newest"
  say "   none: nobody signed this export. The newest head in case.db is of $(cat "$W/newest") of $COUNT entries"
fi
[ "$COUNT" = "$ENTRIES" ] && [ "$LAST" = "$HEAD" ] \
  || fail "this script was made for $ENTRIES entries with the head $HEAD"
# RFC 6962: leaves are SHA-256(0x00, line), nodes SHA-256(0x01, left, right).
# level.N holds the nodes over 2^N lines each; those are all that a root needs.
sed "s/^/$(printf '\001')/" custody.jsonl | tr '\001' '\000' \
  | (cd "$W/tree" && split -l 1 -a 7 -d - r.) || fail "custody.jsonl cannot be split"
(cd "$W/tree" && find . -name 'r.*' | xargs truncate -s -1 \
  && find . -name 'r.*' | sort | xargs sha256sum) | cut -c1-64 >"$W/level.0" \
  || fail "the tree of the lines cannot be made"
[ "$(($(wc -l <"$W/level.0")))" = "$COUNT" ] || fail "the tree of the lines cannot be made"
LEVEL=0
while [ "$(($(wc -l <"$W/level.$LEVEL")))" -ge 2 ]; do
  rm -rf "$W/tree" && mkdir "$W/tree" || fail "cannot write to $W"
  paste -d ' ' - - <"$W/level.$LEVEL" | sed -n 's/^\([0-9a-f]\{64\}\) \([0-9a-f]\{64\}\)$/01\1\2/p' \
    | tr -d '\n' | tr a-f A-F | basenc --base16 -d \
    | (cd "$W/tree" && split -b 65 -a 7 -d - r. && find . -name 'r.*' | sort | xargs sha256sum) \
    | cut -c1-64 >"$W/level.$((LEVEL + 1))"
  LEVEL=$((LEVEL + 1))
done
# subtrees SIZE: the perfect subtrees of the first SIZE lines, smallest first.
subtrees() {
  left=$1
  level=0
  while [ "$left" -gt 0 ]; do
    [ "$((left % 2))" = 1 ] && sed -n "${left}p" "$W/level.$level"
    left=$((left / 2))
    level=$((level + 1))
  done
}
# tree_of SIZE: sets ROOT, in base64, and FRONTIER, as heads of case.db have it.
tree_of() {
  ROOT=
  FRONTIER=
  subtrees "$1" >"$W/subtrees"
  while read -r node; do
    FRONTIER=$node$FRONTIER
    if [ -z "$ROOT" ]; then
      ROOT=$node
    else
      ROOT=$(printf '01%s%s' "$node" "$ROOT" | tr a-f A-F | basenc --base16 -d | sha256sum | cut -c1-64)
    fi
  done <"$W/subtrees"
  ROOT=$(printf '%s' "$ROOT" | tr a-f A-F | basenc --base16 -d | base64 -w 0)
}
if [ "$SIGNED" = yes ]; then
  tree_of "$COUNT"
  [ "$(sed -n 3p "$W/body")" = "$ROOT" ] \
    || fail "checkpoint.note: its Merkle root is not that of the lines"
fi
# Heads that the record says were signed: each is in case.db as it was.
ask "SELECT count(writefile('$W/heads/' || size, note)) FROM heads" >/dev/null
(cd "$W/heads" && find . -type f | sort | xargs sha256sum) \
  | sed 's|^\([0-9a-f]*\)  \./|\1 |' >"$W/stored"
ask "SELECT json_extract(line,'\$.detail.size'),
       json_extract(line,'\$.detail.note_sha256'), seq
     FROM custody WHERE json_extract(line,'\$.action')='head.sign'
     ORDER BY seq" >"$W/signed"
awk 'NR == FNR { have[$2] = $1; next }
  $1 != $3 - 1 { print "entry " $3 ": signs a head of " $1 " entries"; exit }
  !($1 in have) { print "entry " $3 ": the head of " $1 " entries that it names is not in case.db"; exit }
  have[$1] != $2 { print "entry " $3 ": the head of " $1 " entries in case.db is not the one that it names"; exit }' \
  "$W/stored" "$W/signed" >"$W/broken"
[ -s "$W/broken" ] && fail "$(cat "$W/broken")"
ask "SELECT seq FROM custody JOIN heads ON size = seq - 1
     WHERE json_extract(line,'\$.action')='head.sign'
       AND (json_extract(line,'\$.detail.head') IS NOT json_extract(line,'\$.prev')
         OR json_extract(line,'\$.detail.signer')
           IS NOT substr(json_extract(line,'\$.actor.auth'),-64)
         OR instr(note, char(10) || json_extract(line,'\$.detail.root')
           || char(10) || 'chain ') = 0) LIMIT 1" >"$W/odd"
[ -s "$W/odd" ] \
  && fail "entry $(cat "$W/odd"): states another head than the one that it signs"
ask "SELECT seq FROM custody JOIN heads ON size = seq - 1
     WHERE json_extract(line,'\$.action')='head.sign'
       AND json_extract(line,'\$.recorded_at') <> signed_at LIMIT 1" >"$W/odd"
[ -s "$W/odd" ] \
  && fail "case.db: the head that entry $(cat "$W/odd") names has another time there"
[ "$SIGNED" = no ] || sed -n '1,/^— /p' checkpoint.note | cmp -s - "$W/heads/$COUNT" \
  || fail "case.db: the head of this export, checkpoint.note, is not in it"
for key in "$W"/keys/*; do
  case "$key" in *.since | *.until) continue ;; esac
  key_id "$key"
  echo "$KEY_ID" >"$key.id"
done
# What each says of the lines, whoever signed it.
while read -r digest size; do
  ask "SELECT coalesce(frontier,'') FROM heads WHERE size=$size" >"$W/frontier"
  [ "$size" -le "$COUNT" ] \
    || fail "case.db: there is a head of $size entries, the chain has $COUNT"
  tree_of "$size"
  [ "$(sed -n 2p "$W/heads/$size")" = "$size" ] \
    && [ "$(sed -n 3p "$W/heads/$size")" = "$ROOT" ] \
    && [ "$(sed -n 's/^chain //p' "$W/heads/$size")" = "$(sed -n "${size}p" "$W/h")" ] \
    && [ "$(head -n 1 "$W/heads/$size")" = "$ORIGIN" ] \
    || fail "case.db: the head of $size entries is not that of the first $size lines"
  [ "$(cat "$W/frontier")" = "$FRONTIER" ] \
    || fail "case.db: the frontier of the head of $size entries is another one"
  fits=no
  for key in "$W"/keys/*; do
    case "$key" in *.since | *.until | *.id) continue ;; esac
    [ "$(cat "$key.since")" -le "$size" ] || continue
    [ ! -f "$key.until" ] || [ "$(cat "$key.until")" -gt "$size" ] || continue
    signed_by "$W/heads/$size" "$key" "$(cat "$key.id")" && fits=yes && break
  done
  [ "$fits" = yes ] \
    || fail "case.db: no key of the record signed the head of $size entries"
done <"$W/stored"
say "   $(($(wc -l <"$W/signed"))) earlier heads are in case.db as they were signed"

ANCHORS=
OTHERS=
FURTHER=0
others() {
sed '/^$/,$d' checkpoint.note >"$W/body"
# No cosignature is older than the record.
BEGAN=$(date -d "$(ask "SELECT json_extract(line,'\$.ts') FROM custody WHERE seq=1")" +%s 2>/dev/null) \
  || fail "entry 1: its time cannot be read"
[ "$(tr -d '\000' <checkpoint.note | wc -c)" = "$(wc -c <checkpoint.note)" ] \
  && [ "$(tail -c 1 checkpoint.note | od -An -tx1 | tr -d ' ')" = 0a ] \
  || fail "checkpoint.note: it is no text of whole lines"
sed '1,/^— /d' checkpoint.note >"$W/further"
grep -v '^— [^ ]* [A-Za-z0-9+/]*=\{0,2\}$' "$W/further" >"$W/odd"
[ -s "$W/odd" ] && fail "checkpoint.note: there are other lines behind its signature"
FURTHER=$(($(wc -l <"$W/further")))
say "5. another key's signature on the head"
if [ -f witness.pub.pem ]; then
  sed -n '1s/^— [^ ]* //p' "$W/further" >"$W/line"
  grep -q -x '[A-Za-z0-9+/]\{101\}[AQgw]==' "$W/line" \
    || fail "checkpoint.note: no cosignature for witness.pub.pem"
  base64 -d <"$W/line" >"$W/cosig" 2>/dev/null
  openssl pkey -pubin -in witness.pub.pem -outform DER >"$W/der" 2>/dev/null \
    && [ "$(head -c 12 "$W/der" | od -An -tx1 | tr -d ' \n')" = 302a300506032b6570032100 ] \
    || fail "witness.pub.pem: it is no Ed25519 key"
  finger=$(tail -c 32 "$W/der" | sha256sum | cut -c1-64)
  [ -f "$W/keys/$finger" ] \
    && fail "witness.pub.pem: key $finger signs entries of this record; nobody is a witness of their own acts"
  # cosignature/v1: 4 bytes of key id, 8 of time, 64 of signature.
  TIME=$(head -c 12 "$W/cosig" | tail -c 8 | od -An -tx1 | tr -d ' \n')
  case "$TIME" in
    [0-7]*) TIME=$((0x$TIME)) ;;
    *) fail "checkpoint.note: the time of the cosignature is no time: 0x$TIME seconds" ;;
  esac
  tail -c 64 "$W/cosig" >"$W/sig"
  { printf 'cosignature/v1\ntime %s\n' "$TIME"; cat "$W/body"; } >"$W/cosigned"
  openssl pkeyutl -verify -pubin -inkey witness.pub.pem -rawin \
    -in "$W/cosigned" -sigfile "$W/sig" >/dev/null 2>&1 \
    || fail "checkpoint.note: the cosignature does not fit witness.pub.pem"
  [ "$TIME" -ge "$BEGAN" ] \
    || fail "checkpoint.note: the cosignature is of $TIME, before the record began ($BEGAN)"
  WHEN=$(date -u -d "@$TIME" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null) || WHEN="$TIME seconds after 1970-01-01 (UTC)"
  if [ -n "$WITNESS" ]; then
    [ "$WITNESS" = "$finger" ] \
      || fail "witness.pub.pem: its key is $finger, --witness says $WITNESS"
    ANCHORS="$ANCHORS
     the witness that you named, key $finger, signed this head and states the time $WHEN"
  else
    OTHERS="$OTHERS
     another key signed this head, $finger; it came with this folder, so that
     anybody could have made it: --witness FINGERPRINT compares it with one that you know"
  fi
  FURTHER=$((FURTHER - 1))
  say "   another key signed, $finger, and states the time $WHEN"
else
  [ -z "$WITNESS" ] || fail "witness.pub.pem is missing, --witness asks for its key"
  say "   none here (no witness.pub.pem)"
fi

say "6. a time stamp of the head"
if [ -f checkpoint.tsr ]; then
  [ -f tsa-chain.pem ] || fail "checkpoint.tsr is here, tsa-chain.pem is missing"
  LENGTH=$(openssl asn1parse -inform DER -in checkpoint.tsr 2>/dev/null \
    | sed -n '1s/.*hl= *\([0-9]*\) *l= *\([0-9]*\) .*/\1+\2/p')
  [ "$((${LENGTH:-0}))" = "$(($(wc -c <checkpoint.tsr)))" ] \
    || fail "checkpoint.tsr: it is not one reply of an authority and nothing else"
  STAMPED=$(openssl ts -reply -in checkpoint.tsr -text 2>/dev/null | sed -n 's/^Time stamp: //p')
  AT=$(date -d "$STAMPED" +%s 2>/dev/null) || fail "checkpoint.tsr: no readable time"
  openssl ts -verify -data "$W/body" -in checkpoint.tsr -CAfile tsa-chain.pem \
    -untrusted tsa-chain.pem -attime "$AT" >/dev/null 2>"$W/ts.err" \
    || fail "checkpoint.tsr does not fit the head: $(tail -n 1 "$W/ts.err")"
  [ "$AT" -ge "$BEGAN" ] \
    || fail "checkpoint.tsr is of $AT, before the record began ($BEGAN)"
  OTHERS="$OTHERS
     a time stamp says that this head existed at $STAMPED; whether the certificates
     in tsa-chain.pem, which came with this folder, are of an authority is for you to find out"
  say "   stamped at $STAMPED"
else
  say "   none here (no checkpoint.tsr)"
fi
}
if [ "$SIGNED" = yes ]; then
  others
else
  say "5. another key's signature on the head: there is no head of this export"
  say "6. a time stamp of the head: there is no head of this export"
  [ -z "$WITNESS" ] || fail "--witness: nobody signed this export, so that it has no head to be cosigned"
fi

# One member of a bundle, from tar's --to-command: its digest and its name, which
# may hold anything but a zero byte.
cat >"$W/member" <<'END'
[ "$TAR_FILETYPE" = f ] || { cat >/dev/null; exit 0; }
case "$TAR_FILENAME" in
  ./manifest-sha256.txt | ./tagmanifest-sha256.txt)
    digest=$(tee -a "$W/${TAR_FILENAME#./}" | sha256sum) ;;
  *) digest=$(sha256sum) ;;
esac
printf '%s  %s\000' "${digest%% *}" "$TAR_FILENAME"
END
export W

# The names that export.list may have: its signature makes nothing part of the record.
for file in $LISTED; do echo "$file"; done >"$W/places"
for key in "$W"/keys/*; do
  case "$key" in *.since | *.until | *.id) ;; *) echo "keys/${key##*/}.pem" ;; esac
done >>"$W/places"

# exhibit ID BUNDLE SHA256 MANIFEST_SHA256 TAGMANIFEST_SHA256
exhibit() {
  ask "SELECT json_extract(line,'\$.object.sha256'),
         json_extract(line,'\$.detail.manifest_sha256'),
         json_extract(line,'\$.detail.tagmanifest_sha256')
       FROM custody WHERE json_extract(line,'\$.action')='bundle.seal'
         AND json_extract(line,'\$.item')='$1' ORDER BY seq LIMIT 1" >"$W/seal"
  [ "$(cat "$W/seal")" = "$3 $4 $5" ] \
    || fail "$1: the record seals other digests than this script was made with"
  [ "$WITH_EXHIBITS" = yes ] || return 0
  for file in @ENDINGS@; do echo "exhibits/$1$file"; done >>"$W/places"
  [ -f "exhibits/$2" ] || fail "exhibits/$2 is missing"
  found=$(sha256sum <"exhibits/$2" | cut -c1-64)
  [ "$found" = "$3" ] \
    || fail "exhibits/$2: its SHA-256 is $found, the record sealed $3"
  listed=$(sed -n "s|  exhibits/$2\$||p" export.list)
  [ "$listed" = "$3" ] || fail "exhibits/$2: export.list names another digest"
  # From format 2 on the record holds the digests of the files beside a bundle.
  ask "SELECT coalesce(json_extract(line,'\$.detail.seal_sha256'),'-'),
         coalesce(json_extract(line,'\$.detail.verify_txt_sha256'),'-')
       FROM custody WHERE json_extract(line,'\$.action')='bundle.seal'
         AND json_extract(line,'\$.item')='$1' ORDER BY seq LIMIT 1" >"$W/beside"
  read -r seal text <"$W/beside"
  [ "$seal" = - ] || [ -f "exhibits/$2.sha256" ] || fail "exhibits/$2.sha256 is missing from this export"
  if [ -f "exhibits/$2.sha256" ]; then
    printf '%s  %s\n' "$3" "$2" | cmp -s - "exhibits/$2.sha256" \
      || fail "exhibits/$2.sha256 names another digest than the record"
  fi
  for file in "$1.seal.json $seal" "$1.VERIFY.txt $text"; do
    digest=${file#* }
    file=exhibits/${file% *}
    [ "$digest" = - ] && continue
    [ -f "$file" ] || fail "$file is missing from this export"
    [ "$(sha256sum <"$file" | cut -c1-64)" = "$digest" ] \
      || fail "$file is not the one that the record sealed"
  done
  zstd -q -t "exhibits/$2" 2>"$W/zstd.err" \
    || fail "exhibits/$2 does not decode: $(tail -n 1 "$W/zstd.err")"
  rm -f "$W/manifest-sha256.txt" "$W/tagmanifest-sha256.txt"
  zstd -q -dc "exhibits/$2" \
    | (cd "$W/empty" && tar -xf - --to-command='sh "$W/member"' 2>"$W/tar.err") \
    >"$W/raw" || fail "exhibits/$2 is no whole tar: $(tail -n 1 "$W/tar.err")"
  # Names as manifests write them. One with a line break can be in no bundle that
  # impound wrote; it is made into one that fits no manifest.
  tr '\n\000' '\001\n' <"$W/raw" | sed 's|%|%25|g; s|\r|%0D|g; s|  \./|  |' >"$W/members"
  for list in manifest tagmanifest; do
    [ -f "$W/$list-sha256.txt" ] || fail "exhibits/$2 has no $list-sha256.txt"
  done
  [ "$(sha256sum <"$W/manifest-sha256.txt" | cut -c1-64)" = "$4" ] \
    || fail "exhibits/$2: its manifest is not the one that was sealed"
  [ "$(sha256sum <"$W/tagmanifest-sha256.txt" | cut -c1-64)" = "$5" ] \
    || fail "exhibits/$2: its tag manifest is not the one that was sealed"
  { cat "$W/manifest-sha256.txt" "$W/tagmanifest-sha256.txt"
    printf '%s  tagmanifest-sha256.txt\n' "$5"; } | sort >"$W/listed"
  sort "$W/members" >"$W/found"
  cmp -s "$W/listed" "$W/found" || fail "exhibits/$2: members and manifests differ: \
$(diff "$W/listed" "$W/found" | sed -n '/^[<>]/{s/^</listed/;s/^>/found/;p;q;}')"
  say "   $2: as sealed, decodes, $(($(wc -l <"$W/manifest-sha256.txt"))) files equal the manifest"
}

say "7. the exhibits"
ask "SELECT count(DISTINCT json_extract(line,'\$.item')) FROM custody
     WHERE json_extract(line,'\$.action')='bundle.seal'" >"$W/count"
[ "$(cat "$W/count")" = "$SEALED" ] \
  || fail "the record seals $(cat "$W/count") exhibits, this script knows $SEALED"
@EXHIBITS@if [ "$SEALED" = 0 ]; then
  say "   the record seals none"
elif [ "$WITH_EXHIBITS" = no ]; then
  say "   NOT CHECKED: this export was made without its $SEALED exhibits; the record alone is checked"
fi
ask "SELECT json_extract(b.line,'\$.item') || ' was begun by entry ' || b.seq || ' and never sealed: ' ||
       coalesce((SELECT json_extract(e.line,'\$.outcome') FROM custody e
         WHERE json_extract(e.line,'\$.action')='acquire.end'
           AND json_extract(e.line,'\$.item')=json_extract(b.line,'\$.item')
         ORDER BY e.seq DESC LIMIT 1),'no end is recorded')
     FROM custody b WHERE json_extract(b.line,'\$.action')='acquire.begin'
       AND NOT EXISTS (SELECT 1 FROM custody s
         WHERE json_extract(s.line,'\$.action')='bundle.seal'
           AND json_extract(s.line,'\$.item')=json_extract(b.line,'\$.item'))
     ORDER BY b.seq" >"$W/unsealed"
sed 's/^/   /' "$W/unsealed" | plain
say "8. comparisons"
ask "SELECT seq, json_extract(line,'\$.v'),
       coalesce(json_extract(line,'\$.detail.result_file'),'-'),
       json_extract(line,'\$.detail.result_sha256'),
       coalesce(json_extract(line,'\$.detail.baseline_file'),'-'),
       coalesce(json_extract(line,'\$.detail.baseline_sha256'),'-')
     FROM custody WHERE json_extract(line,'\$.action')='baseline.diff'
     ORDER BY seq" >"$W/diffs"
DIFFS=0
while read -r seq version result digest baseline reference; do
  if [ "$result" = - ]; then
    say "   entry $seq: its full result was not kept (format $version)"
    continue
  fi
  DIFFS=$((DIFFS + 1))
  [ "$WITH_EXHIBITS" = yes ] || continue
  for file in "$result $digest" "$baseline $reference"; do
    digest=${file#* }
    file=${file% *}
    [ "$file" = - ] && continue
    case "$file" in
      reports/*[!a-z0-9.-]*) fail "entry $seq: names the file $file" ;;
      reports/*) ;;
      *) fail "entry $seq: names the file $file" ;;
    esac
    echo "$file" >>"$W/places"
    [ -f "$file" ] || fail "$file, which entry $seq names, is missing from this export"
    [ "$(sha256sum <"$file" | cut -c1-64)" = "$digest" ] \
      || fail "$file is not the one that entry $seq names"
  done
done <"$W/diffs"
if [ "$WITH_EXHIBITS" = yes ]; then
  say "   $DIFFS with their full results and their baselines"
else
  say "   NOT CHECKED: this export was made without the results of its $DIFFS comparisons"
fi

say "9. every file of this export"
if [ "$SIGNED" = yes ]; then
[ "$(($(wc -c <export.sig)))" = 89 ] && grep -q -x '[A-Za-z0-9+/]\{85\}[AQgw]==' export.sig \
  || fail "export.sig is not 64 bytes in base64 and a line break"
base64 -d <export.sig >"$W/sig" 2>/dev/null \
  && openssl pkeyutl -verify -pubin -inkey signer.pub.pem -rawin \
    -in export.list -sigfile "$W/sig" >/dev/null 2>&1 \
  || fail "export.sig does not fit export.list and signer.pub.pem"
fi
grep -v '^[0-9a-f]\{64\}  [A-Za-z0-9][A-Za-z0-9._/-]*$' export.list >"$W/odd"
[ -s "$W/odd" ] && fail "export.list: a line is no digest and name"
cut -c67- export.list | sort >"$W/listed"
[ -z "$(uniq -d "$W/listed")" ] || fail "export.list names a file twice"
for file in $LISTED; do
  grep -q -x "[0-9a-f]*  $file" "export.list" \
    || fail "export.list does not name $file"
done
sort -u "$W/places" | comm -23 "$W/listed" - >"$W/odd"
[ -s "$W/odd" ] && fail "export.list names $(head -n 1 "$W/odd"), which is no file of this record"
# A name with a line break is named by itself; it would read as two others.
BREAK='
'
find . -name "*$BREAK*" -prune -o ! -type d -print >"$W/rows" \
  || fail "this folder cannot be read"
sed 's|^\./||' "$W/rows" | sort >"$W/here"
find . -name "*$BREAK*" -prune -o -type d -print | sed 's|^\./||' | sort >"$W/folders"
find . -name "*$BREAK*" -prune -exec sh -c 'for name do
  printf "%s" "${name#./}" | tr "\000-\037\177" "?"; echo; done' sh '{}' + | sort >"$W/strange"
comm -23 "$W/listed" "$W/here" >"$W/absent"
[ -s "$W/absent" ] && fail "$(head -n 1 "$W/absent") is missing from this export"
while read -r digest name; do
  [ ! -h "$name" ] && [ -f "$name" ] || fail "$name is no file"
  case "$name" in
    exhibits/*.tar.zst) ;;  # step 7
    checkpoint.note)
      # As it was exported; whoever cosigns adds a line to it.
      found=$(sed -n '1,/^— /p' "$name" | sha256sum | cut -c1-64)
      [ "$found" = "$digest" ] \
        || fail "$name: its SHA-256 is $found, export.list says $digest" ;;
    keys/*)
      key=${name#keys/}
      cmp -s "$name" "$W/keys/${key%.pem}" \
        || fail "$name: it is not the key that the record has under this fingerprint"
      echo "$digest  $name" ;;
    *) echo "$digest  $name" ;;
  esac
done <export.list >"$W/stated"
cut -c67- "$W/stated" | xargs sha256sum | paste -d ' ' "$W/stated" - | awk '
  $1 != $3 || $2 != $4 { print $2 ": its SHA-256 is " $3 ", export.list says " $1; exit }' >"$W/broken"
[ -s "$W/broken" ] && fail "$(cat "$W/broken")"
FOREIGN=0
foreign() {
  FOREIGN=$((FOREIGN + 1))
  printf '   not part of the record: %s\n' "$1" | tr '\000-\011\013-\037\177' '?'
}
# Two passes: names in the folders of the record, then all others.
comm -13 "$W/listed" "$W/here" >"$W/extra"
[ "$FURTHER" = 0 ] || foreign "$FURTHER further signatures in checkpoint.note"
cut -d / -f 1 "$W/extra" >"$W/top"
grep -v -x -e '[.]' @FOLDERS_ALONE@ "$W/folders" | cut -d / -f 1 >>"$W/top"
cat "$W/extra" "$W/folders" "$W/strange" | grep -x @FOLDERS_INSIDE@ >"$W/odd"
[ -s "$W/odd" ] && fail "$(head -n 1 "$W/odd") is not in export.list: it was added"
cut -d / -f 1 "$W/strange" >>"$W/top"
sort -u "$W/top" >"$W/extra"
while IFS= read -r name; do
  case "$name" in
    export.list | export.sig) ;;
    witness.pub.pem)  # step 5
      [ "$SIGNED" = yes ] || foreign "$name" ;;
    checkpoint.tsr | tsa-chain.pem)  # step 6
      [ "$SIGNED" = yes ] && [ -f checkpoint.tsr ] || foreign "$name" ;;
    *) foreign "$name" ;;
  esac
done <"$W/extra"
if [ "$SIGNED" = yes ]; then
  say "   $(($(wc -l <export.list))) files are as the exporter signed them"
else
  say "   $(($(wc -l <export.list))) files are as export.list says, which nobody signed"
fi

say "10. what the record says (read from custody.jsonl, not from the views of case.db)"
# from_lines SQL: asks a table "l" of the lines, in a database of this script.
from_lines() {
  { cat <<'END'
.bail on
CREATE TABLE l(line TEXT);
.mode ascii
.separator "\037" "\n"
.import custody.jsonl l
.mode list
.separator " " "\n"
END
    printf '%s;\n' "$1"; } | sqlite3 -batch -init /dev/null :memory: 2>"$W/sqlite.err" \
    || fail "custody.jsonl cannot be read: $(head -n 1 "$W/sqlite.err")"
  [ -s "$W/sqlite.err" ] \
    && fail "custody.jsonl cannot be read: $(head -n 1 "$W/sqlite.err")"
  return 0
}
ONE_LINE="char(10),' '),char(13),' ')"
from_lines "WITH c AS (SELECT rowid AS seq,
    json_extract(line,'\$.detail.corrects') AS id FROM l
    WHERE json_extract(line,'\$.action')='correct')
  SELECT '   ' || replace(replace(
    coalesce(json_extract(line,'\$.detail.id'),'?') || ' ' ||
    coalesce(json_extract(line,'\$.detail.verdict'),'?') || ', ' ||
    coalesce(json_extract(line,'\$.detail.severity'),'?') || ': ' ||
    coalesce(json_extract(line,'\$.detail.title'),'?') || ' (entry ' || rowid ||
    coalesce((SELECT ', corrected by entry ' || group_concat(c.seq,', ') FROM c
      WHERE c.id=json_extract(line,'\$.id')),'') || ')', $ONE_LINE
  FROM l WHERE json_extract(line,'\$.action')='note'
    AND json_extract(line,'\$.detail.kind')='finding' ORDER BY rowid" \
  >"$W/findings"
say "   findings: $(($(wc -l <"$W/findings")))"
plain <"$W/findings"
from_lines "SELECT '   ' || replace(replace(
    coalesce(json_extract(line,'\$.item'),'-') || ' ' ||
    json_extract(line,'\$.outcome') || ': ' ||
    coalesce(json_extract(line,'\$.object.path'),'?') ||
    coalesce(': ' || nullif(json_extract(line,'\$.detail.reason'),''),'') ||
    ' (entry ' || rowid || ')', $ONE_LINE
  FROM l WHERE json_extract(line,'\$.action')='acquire.file'
    AND (json_extract(line,'\$.detail.gap')
      OR json_extract(line,'\$.outcome') NOT IN ('ok','empty'))
  ORDER BY rowid" >"$W/gaps"
# An acquisition that came to no seal is a gap by itself.
sed 's/^/   /' "$W/unsealed" >>"$W/gaps"
GAPS=$(($(wc -l <"$W/gaps")))
say "   gaps, and what was taken in part: $GAPS"
if [ "$GAPS" -gt 40 ] && [ "$ALL" = no ]; then
  head -n 40 "$W/gaps" | plain
  say "   and $((GAPS - 40)) more: sh $SELF --all prints them"
else
  plain <"$W/gaps"
fi

say "What this check does NOT prove"
if [ -n "$WANTED_SIGNER" ]; then
  say "   who signed: the first key is the one that you gave; whose the others are is the"
  say "     word of who vouched for each (printed first)"
else
  say "   who signed: the case was opened by key"
  say "     $FIRST"
  say "     and whose that is nobody certified. Whoever has no key of this case can still"
  say "     make another one that looks like it. Ask the lead for the fingerprint, by"
  say "     another way than this folder came, and give it: sh $SELF --signer FINGERPRINT"
fi
if [ "$VOUCHED" = no ]; then
  say "     (its format is older: each signer introduced their own key under their own words)"
fi
from_lines "SELECT count(*) FROM l
  WHERE coalesce(json_extract(line,'\$.clock.source'),'') NOT IN ('ntp','chrony')" \
  >"$W/unsynchronised"
say "   when: of $COUNT entries, $(cat "$W/unsynchronised") were stamped by a clock that was not synchronised;"
say "     a clock is set by whoever owns the machine"
[ -z "$WANTED_HEAD" ] \
  || say "   what follows entry $HEAD_AT, the head that you gave: only up to there it is anchored"
if [ "$SIGNED" = no ]; then
  say "   that it is all: nobody signed this export. Entries may be missing at its end,"
  say "     and whatever neither an entry nor a seal covers may have been changed: the"
  say "     journal in case.db, export.list, this script. NOT-RECORDED.txt says why:"
  plain <NOT-RECORDED.txt | sed 's/^/     /'
elif [ -z "$ANCHORS" ]; then
  say "   that it is all: no outside anchor is here that you vouched for. Whoever"
  say "     holds key $SIGNER"
  say "     could have written the record anew since, unless you know its head otherwise (--head):"
  say "     $LAST"
else
  say "   that anything was added since:$ANCHORS"
fi
[ -z "$OTHERS" ] || say "   who they are that also vouch for the head:$OTHERS"
say "   that what was examined told the truth: a machine in other hands may lie to every reader"
if [ "$SIGNED" = no ]; then
  say "UNSIGNED: what is here is right, and nobody says that it is all; not part of it, and not checked: $FOREIGN"
  exit 2
fi
if [ "$FOREIGN" != 0 ]; then
  say "THE RECORD IS OK; not part of it, and not checked: $FOREIGN (named in step 9)"
  exit 0
fi
say "ALL OK"
)SH";
bool is_made_of(std::string_view text, std::string_view extra) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || extra.find(c) != extra.npos;
  });
}

/// A value that stands between quotes in the script.
const std::string& plain(const std::string& value, std::string_view extra,
                         std::string_view what) {
  if (is_made_of(value, extra)) return value;
  throw Error(Errc::integrity,
              fmt::format("the case states {} \"{}\", which no export can "
                          "carry: letters and digits were expected",
                          what, printable(value)));
}

void fill(std::string& text, std::string_view name, std::string_view value) {
  for (std::size_t at = text.find(name); at != text.npos;
       at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

/// The objects of a case file, as the script compares them: what one row of
/// sqlite_master becomes there, hashed.
std::string known_objects() {
  std::string text;
  for (std::int64_t version = 1; version <= newest_schema(); ++version) {
    text += fmt::format("    {}) cat <<'END'\n", version);
    for (const SchemaRow& row : schema_rows(version)) {
      const auto hex = [](const std::string& part) {
        std::string digits = to_hex(as_bytes(part));
        for (char& c : digits) {
          if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');  // as SQLite
        }
        return digits;
      };
      const std::string line =
          fmt::format("{} {} {} {}\n", hex(row.type), hex(row.name),
                      hex(row.table), row.sql.empty() ? "-" : hex(row.sql));
      text += fmt::format("{} {} {}\n", sha256(line).hex(), row.type, row.name);
    }
    text += "END\n      ;;\n";
  }
  return text;
}

/// What each action needs of its signer, "-" where everybody may.
std::string rights_table() {
  std::string text;
  for (const ActionRule& rule : action_rules()) {
    text += fmt::format("{} {}\n", rule.name,
                        rule.right ? to_string(*rule.right) : "-");
  }
  return text;
}

/// The names of the table that `has` is true of, for a loop of the script.
std::string names_of(bool (ExportFile::*has)() const) {
  std::string names;
  for (const ExportFile& file : kExportFiles) {
    if (!(file.*has)()) continue;
    if (!names.empty()) names += ' ';
    names += file.name;
  }
  return names;
}

/// The table as the head of the script prints it.
std::string comment_table() {
  std::string text;
  for (const ExportFile& file : kExportFiles) {
    text += fmt::format("#   {:<22} {}\n", file.name, file.how);
  }
  return text;
}

/// The case id as a basic regular expression; of its letters only the dot means
/// anything there.
std::string pattern_of(const std::string& case_id) {
  std::string pattern = case_id;
  fill(pattern, ".", "[.]");
  return pattern;
}

}  // namespace

std::string verify_script(const ScriptFacts& facts) {
  std::string exhibits;
  for (const ScriptExhibit& exhibit : facts.exhibits) {
    exhibits += fmt::format(
        "exhibit {} {} \\\n  {} \\\n  {} \\\n  {}\n",
        plain(exhibit.id, "", "an exhibit"),
        plain(exhibit.bundle, "._", "a bundle"),
        plain(exhibit.sha256, "", "a digest"),
        plain(exhibit.manifest_sha256, "", "a digest of a manifest"),
        plain(exhibit.tagmanifest_sha256, "", "a digest of a tag manifest"));
  }
  std::string script(kTemplate);
  fill(script, "@SIGNERS@", kSignerSteps);
  fill(script, "@RIGHTS@", rights_table());
  fill(script, "@ALL_RIGHTS@", Rights::all().text());
  fill(script, "@CASE@", plain(facts.case_id, "._-", "the case id"));
  fill(script, "@CASE_PATTERN@", pattern_of(facts.case_id));

  fill(script, "@ORIGIN@", plain(facts.origin, "._-/", "an origin of heads"));
  fill(script, "@ENTRIES@", std::to_string(facts.entries));
  fill(script, "@HEAD@", plain(facts.head, "", "the head"));
  fill(script, "@SIGNED@", facts.is_signed ? "yes" : "no");
  fill(script, "@WITH_EXHIBITS@", facts.with_exhibits ? "yes" : "no");
  fill(script, "@SEALED@", std::to_string(facts.exhibits.size()));
  fill(script, "@EXHIBITS@", exhibits);
  fill(script, "@OBJECTS@", known_objects());
  fill(script, "@FORMAT@", std::to_string(newest_schema()));
  fill(script, "@REQUIRED@", names_of(&ExportFile::is_required));
  fill(script, "@REQUIRED_UNSIGNED@",
       names_of(&ExportFile::is_required_unsigned));
  fill(script, "@ONLY_SIGNED@", names_of(&ExportFile::is_only_signed));
  fill(script, "@ONLY_UNSIGNED@", names_of(&ExportFile::is_only_unsigned));
  fill(script, "@LISTED@", names_of(&ExportFile::is_listed_signed));
  fill(script, "@LISTED_UNSIGNED@", names_of(&ExportFile::is_listed_unsigned));
  std::string endings;
  for (const std::string_view ending : kExhibitEndings) {
    endings += fmt::format("{}{}", endings.empty() ? "" : " ", ending);
  }
  fill(script, "@ENDINGS@", endings);
  fill(script, "@ADDED@", names_of(&ExportFile::is_added));
  fill(script, "@FORBIDDEN@", names_of(&ExportFile::is_forbidden));
  std::string alone;
  std::string inside;
  for (const std::string_view folder : kExportFolders) {
    alone += fmt::format(" -e {}", folder);
    inside += fmt::format(" -e '{}/.*'", folder);
  }
  fill(script, "@FOLDERS_ALONE@", alone.substr(1));
  fill(script, "@FOLDERS_INSIDE@", inside.substr(1));
  fill(script, "@TABLE@", comment_table());
  return script;
}

}  // namespace impound
