// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The part of VERIFY.sh that judges signers: SignerRoll and SignerWalk, in
/// awk.
/// `@RIGHTS@` is the table of actions.cpp, `@ALL_RIGHTS@` every right.

#include <string_view>

namespace impound {

inline constexpr std::string_view kSignerSteps = R"SH(
# Who signed, and who says so. Keys as the record brought them in, checked
# against their fingerprints.
word() {
  printf "CASE WHEN coalesce(%s,'')='' THEN '-' WHEN %s GLOB '*[^A-Za-z0-9.,-]*' THEN '?' ELSE %s END" \
    "$1" "$1" "$1"
}
field() { word "json_extract(line,'\$.$1')"; }
ask "SELECT seq, replace(replace(replace(
       json_extract(line,'\$.detail.signer.public_key'),
       '-----BEGIN PUBLIC KEY-----',''),'-----END PUBLIC KEY-----',''),
       char(10),''), $(field detail.signer.fingerprint)
     FROM custody WHERE seq=1 OR json_extract(line,'\$.action')
         IN ('signer.add','signer.vouch','signer.rotate')
       OR (json_extract(line,'\$.action')='note'
         AND json_extract(line,'\$.detail.kind')='signer.introduce')
     ORDER BY seq" >"$W/introduced"
: >"$W/brought"
while read -r seq key stated; do
  case "$key" in
    MCowBQYDK2VwAyEA*) ;;
    *) fail "entry $seq introduces no Ed25519 key" ;;
  esac
  finger=$(printf '%s' "$key" | base64 -d 2>/dev/null | tail -c 32 | sha256sum | cut -c1-64)
  [ "$finger" = "$stated" ] \
    || fail "entry $seq: states the fingerprint $stated, its key has $finger"
  echo "$seq $finger" >>"$W/brought"
  [ -f "$W/keys/$finger" ] && continue
  printf '%s\n' "$seq" >"$W/keys/$finger.since"
  printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$key" \
    >"$W/keys/$finger"
done <"$W/introduced"
[ -s "$W/brought" ] || fail "the first entry introduces no key"
cat >"$W/rights" <<'END'
@RIGHTS@END
# A name as it is compared, hexadecimal, and as it is printed.
name_of() { printf "hex(coalesce(json_extract(line,'\$.%s'),''))" "$1"; }
ask "SELECT seq, replace(replace(json_extract(line,'\$.detail.signer.name'),
       char(10),' '),char(13),' ') FROM custody
     WHERE json_type(line,'\$.detail.signer')='object' ORDER BY seq" \
  | plain >"$W/names"
ask "SELECT seq, $(field v), $(field action), $(field detail.kind),
       $(word "substr(json_extract(line,'\$.actor.auth'),-64)"),
       'n' || $(name_of actor.name), $(field detail.signer.rights),
       CASE json_type(line,'\$.detail.through') WHEN 'integer'
         THEN json_extract(line,'\$.detail.through') ELSE '-' END,
       $(field detail.head), 'n' || $(name_of detail.signer.name),
       $(field detail.fingerprint), $(field detail.signers)
     FROM custody ORDER BY seq" | paste -d ' ' - "$W/h" >"$W/statements"
cat >"$W/roll.awk" <<'END'
# The roll of signers, folded entry by entry; then a line for each key, and what
# is wrong.
function has(f, r) { return index("," rights_of[f] ",", "," r ",") > 0 }
function spelt(r,   i, want, words) {
  want = ""
  words = split(ALL, all_words, ",")
  for (i = 1; i <= words; ++i)
    if (index("," r ",", "," all_words[i] ","))
      want = want (want == "" ? "" : ",") all_words[i]
  return want != "" && want == r
}
function needed() {
  if (action == "note" && kind == "finding") return "act"
  if (action == "isolate.undo" && kind != "release") return "act"
  return (action in right_of) ? right_of[action] : "act"
}
function no(f, r) {
  if (state[f] == "rotated" || state[f] == "revoked")
    return "key " f " was " state[f] " in entry " closed[f]
  if (r == "-" || !asks) return ""
  if (state[f] != "vouched")
    return r == "act" ? "" : "key " f " is not vouched for, and the right " r " is needed"
  return has(f, r) ? "" : "key " f " holds " rights_of[f] ", and the right " r " is needed"
}
function bad(text) { if (first == "") first = "entry " n ": " text }
function enter(f, by_whom, way) {
  order[++count] = f
  state[f] = "unvouched"; how[f] = way; from[f] = by_whom; since[f] = n
  person[f] = f; name_of[f] = given; rights_of[f] = asks ? "-" : ALL
  vouched_at[f] = 0
}
function vouch(   i, left, why) {
  why = no(by, "introduce")
  if (why != "") return why
  if (by == f) return "nobody vouches for their own key"
  if (!(f in since)) return "key " f " is not in the case"
  if (closed[f]) return "key " f " was " state[f] " in entry " closed[f]
  if (!spelt(rights)) return "its rights are none that are known"
  if (name_of[f] != given) return "key " f " introduced itself under another name"
  if (through == "-" || through + 0 < 1 || through + 0 >= n)
    return "through is no entry before this one"
  state[f] = "vouched"; rights_of[f] = rights
  vouched_by[f] = by; vouched_at[f] = n; vouched_through[f] = through
  if (link[through + 0] != head)
    return "it vouches for a chain with the head " head ", entry " through " has " link[through + 0]
  left = 0
  for (i = 1; i <= waiting[f]; ++i) {
    if (wait_seq[f, i] > through + 0) {
      ++left; wait_seq[f, left] = wait_seq[f, i]; wait_right[f, left] = wait_right[f, i]
    } else if (wait_right[f, i] == "act" && !has(f, "act"))
      bad("vouches for entry " wait_seq[f, i] " of key " f " without the right act")
  }
  waiting[f] = left
  return ""
}
function rotate() {
  if (!(by in since) || closed[by]) return ""  # said of the key itself
  if (f in since) return "key " f " is in the case since entry " since[f]
  enter(f, by, "rotated")
  if (asks && state[by] != "vouched") {
    how[f] = "itself"
    return "key " by " is not vouched for and hands nothing on"
  }
  if (name_of[by] != given) return "a key of another name needs signer.add"
  if (rights != rights_of[by]) return "a rotation carries the rights over: " rights_of[by]
  state[f] = state[by]; rights_of[f] = rights_of[by]; person[f] = person[by]
  state[by] = "rotated"; closed[by] = n; closed_by[by] = by
  return ""
}
function statement(   why) {
  f = (n in key) ? key[n] : "-"
  if (action == "case.open") {
    if (n != 1) return ""
    asks = (policy == "vouched" || version >= 3)
    enter(f, "-", "opened")
    state[f] = "vouched"; rights_of[f] = ALL
    if (f != by) return "the first entry is signed by another key than it introduces"
    if (asks && policy != "vouched") return "its signers is not \"vouched\""
    if (asks && rights != ALL) return "the key that opens a case holds all rights"
    return ""
  }
  if (action == "note") {
    if (f in since) return ""
    enter(f, by, "itself")
    return asks && f != by ? "a key introduces itself in an entry that it signs" : ""
  }
  if (version < 3) bad("a line of version " version " with a word of version 3")
  if (action == "signer.add") {
    if (f in since) return "key " f " is in the case since entry " since[f]
    why = no(by, "introduce")
    enter(f, by, why == "" ? "added" : "itself")
    if (why != "") return why
    if (!spelt(rights)) return "its rights are none that are known"
    state[f] = "vouched"; rights_of[f] = rights
    return ""
  }
  if (action == "signer.vouch") return vouch()
  if (action == "signer.rotate") return rotate()
  if (action == "signer.revoke") {
    if (by != closes) { why = no(by, "introduce"); if (why != "") return why }
    if (!(closes in since)) return "key " closes " is not in the case"
    if (closed[closes]) return "key " closes " was " state[closes] " in entry " closed[closes]
    state[closes] = "revoked"; closed[closes] = n; closed_by[closes] = by
    return ""
  }
  return ""
}
FILENAME == KEYS { key[$1] = $2; next }
FILENAME == RIGHTS { right_of[$1] = $2; next }
FILENAME == NAMES { text = $0; sub(/^[0-9]+ /, "", text); printed[$1] = text; next }
{
  n = $1 + 0; version = $2 + 0; action = $3; kind = $4; by = $5; speaks = $6
  rights = $7; through = $8; head = $9; given = $10; closes = $11; policy = $12
  link[n] = $13
  concerns = action == "case.open" || action ~ /^signer[.]/ || \
    (action == "note" && kind == "signer.introduce")
  need = needed()
  why = no(by, concerns ? "-" : need)
  if (why != "") bad(why)
  if (concerns) { why = statement(); if (why != "") bad(why) }
  if (!(by in since)) next  # step 3 says so
  ++entries[by]
  if (speaks != name_of[by]) {
    if (asks) bad("speaks under another name than \"" printed[since[by]] "\", to whom key " by " belongs")
    else others[by] = n
  }
  if (asks && state[by] == "unvouched") {
    ++waiting[by]; wait_seq[by, waiting[by]] = n; wait_right[by, waiting[by]] = need
  }
}
function whose(f) { return (f in since) ? "\"" printed[since[f]] "\" (key " f ")" : "key " f }
function ranges(f,   i, j, text, many) {
  text = ""; many = 0
  for (i = 1; i <= waiting[f]; i = j + 1) {
    for (j = i; j < waiting[f] && wait_seq[f, j + 1] == wait_seq[f, j] + 1; ++j) ;
    if (++many > 12) return text " and " (waiting[f] - i + 1) " more"
    text = text (text == "" ? "" : ", ") \
      (i == j ? wait_seq[f, i] : wait_seq[f, i] "-" wait_seq[f, j])
  }
  return text
}
END {
  for (c = 1; c <= count; ++c) {
    f = order[c]
    if (how[f] == "opened") text = "opened the case"
    else if (how[f] == "added") text = "added by " whose(from[f]) " in entry " since[f]
    else if (how[f] == "rotated") text = "takes the place of " whose(from[f]) " since entry " since[f]
    else text = "introduced by itself in entry " since[f]
    if (vouched_at[f]) text = text "; vouched for by " whose(vouched_by[f]) " in entry " \
      vouched_at[f] ", with its entries up to " vouched_through[f]
    if (state[f] == "unvouched") text = text "; nobody vouched for it"
    if (closed[f]) text = text "; " state[f] " in entry " closed[f] " by " whose(closed_by[f])
    print "   " f
    print "     \"" printed[since[f]] "\", " (entries[f] + 0) " entries: " text
    if (others[f]) print "     NOTE: some of its entries, as " others[f] ", speak under another name"
    if (closed[f]) print closed[f] >(DIR "/" f ".until")
    if (waiting[f] && unvouched == "")
      unvouched = "entries " ranges(f) ": nobody vouched for key " f " of \"" printed[since[f]] "\", who signed them"
    if (state[f] != "rotated") {
      same = tolower(printed[since[f]])
      gsub(/ +/, " ", same); sub(/^ /, "", same); sub(/ $/, "", same)
      people[same] = people[same] " " f
      if (++namesakes[same] == 2) twice[++twins] = same
    }
  }
  for (c = 1; c <= twins; ++c) {
    print "   NOTE: " namesakes[twice[c]] " keys carry the name \"" twice[c] "\" and are as many people:"
    print "    " people[twice[c]]
  }
  print order[1] >FIRST
  print (asks ? "yes" : "no") >ASKS
  if (first != "") print first >WRONG
  else if (unvouched != "") print unvouched >WRONG
}
END
: >"$W/wrong"
awk -v KEYS="$W/brought" -v RIGHTS="$W/rights" -v NAMES="$W/names" \
  -v DIR="$W/keys" -v FIRST="$W/first" -v ASKS="$W/asks" -v WRONG="$W/wrong" \
  -v ALL=@ALL_RIGHTS@ -f "$W/roll.awk" \
  "$W/brought" "$W/rights" "$W/names" "$W/statements" >"$W/roll" \
  || fail "the signers of this record cannot be told"
FIRST=$(cat "$W/first")
VOUCHED=$(cat "$W/asks")
LATER=no
say "Who signed (as the record says it; the steps below check that it says so):"
plain <"$W/roll"
if [ "$VOUCHED" = no ]; then
  say "   The first entry asks nobody to vouch for a key: each introduced itself."
fi
if [ -n "$WANTED_SIGNER" ]; then
  [ "$FIRST" = "$WANTED_SIGNER" ] \
    || fail "the case was opened by key $FIRST, not by $WANTED_SIGNER, which was written down"
  say "   The first key is the one that you gave with --signer."
else
  say "   No --signer was given: whose the first key is was NOT compared."
fi
if [ -n "$WANTED_HEAD" ]; then
  HEAD_AT=$(grep -n -x -F "$WANTED_HEAD" "$W/h" | head -n 1 | cut -d : -f 1)
  [ -n "$HEAD_AT" ] \
    || fail "no entry has the head $WANTED_HEAD, which was written down: what it covered is not here"
  say "   The head that you gave is that of entry $HEAD_AT; $((COUNT - HEAD_AT)) entries follow it."
else
  say "   No --head was given: whether entries were cut off before this export was NOT compared."
fi
cat "$W/later"
)SH";

}  // namespace impound
