#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The commands in a bundle's own VERIFY.txt, run as they stand there, with GNU
# tar and with BSD tar: they pass on an untouched bundle of awkward files, and
# fail on a changed one: verify_txt_test.sh <seal_folder_main>.
set -u
sealer=$1
top=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$top"; rm -rf "$top"' EXIT
failures=0
broken() {
  printf 'NOT OK: %s\n' "$*"
  failures=$((failures + 1))
}

# ---- awkward files
src=$top/source
mkdir -p "$src/sub dir" "$src/ leading  data" "$src/closed" "$top/evidence"
put() { printf '%s' "$2" >"$src/$1"; }
head -c 9000000 /dev/urandom >"$src/model.safetensors"
put "$(printf 'new\nline')" one
put "$(printf 'carriage\rreturn')" two
put '100%25 %0A \ \x0A "quoted" $(id) `id`' three
put '-rf' four
put ' leading  data/ blanks ' five
put "sub dir/$(printf '\377\376') not utf-8" six
put 'sub dir/naïve ✓' seven
put "$(printf 'n%.0s' $(seq 200))" 'longer than a tar name field'
put "$(printf 'é%.0s' $(seq 120))" 'long, UTF-8'
put "$(printf '\351%.0s' $(seq 200))" 'long, not UTF-8'
put 'closed/secret' eight
: >"$src/empty"
mkdir -p "$src/$(printf 'd%.0s' $(seq 150))/$(printf 'e%.0s' $(seq 150))"
put "$(printf 'd%.0s' $(seq 150))/$(printf 'e%.0s' $(seq 150))/f" nine
ln "$src/empty" "$src/second name of empty"
ln "$src/model.safetensors" "$src/weights"
ln -s model.safetensors "$src/link"
ln -s /etc/passwd "$src/outward"
ln -s "$(printf 't%.0s' $(seq 180))" "$src/long target"
printf begin >"$src/sparse" && truncate -s 30M "$src/sparse"
printf old >"$src/old" && touch -d '1965-01-02 03:04:05.25' "$src/old"
setfattr -n user.origin -v 'a=b%c' "$src/empty" 2>/dev/null
chmod 500 "$src/closed" && chmod 4755 "$src/old"

"$sealer" "$src" "$top/evidence" || { echo "cannot seal"; exit 1; }
cd "$top/evidence" || exit 1

# The commands for GNU tar and for BSD tar, as a person would paste them.
sed -n '/^  export LC_ALL/,/^With BSD tar/s/^  //p' E001.VERIFY.txt >"$top/gnu.sh"
sed -n '/^With BSD tar/,/^What it means/s/^  //p' E001.VERIFY.txt >"$top/bsd.sh"
[ "$(wc -l <"$top/bsd.sh")" = 2 ] || broken "the commands for BSD tar moved"

# ---- untouched
sh "$top/gnu.sh" >"$top/out" 2>"$top/err" || broken "GNU tar: exit $?"
[ "$(tail -n 1 "$top/out")" = "payload OK" ] || broken "GNU tar: $(cat "$top/out" "$top/err")"
grep -q '^E001.tar.zst: OK$' "$top/out" || broken "sha256sum -c said nothing"
# One line a file, however its name reads; a second name has none.
[ "$(wc -l <got)" = "$(($(find "$src" -type f -printf x | wc -c) - 2))" ] \
  || broken "GNU tar: $(wc -l <got) lines"
[ "$(find . -mindepth 1 | wc -l)" = 5 ] || broken "GNU tar unpacked something: $(ls)"

for locale in C C.UTF-8; do
  rm -rf out
  (LC_ALL=$locale; export LC_ALL; sh "$top/bsd.sh") >"$top/out" 2>"$top/err" \
    || broken "BSD tar in $locale: exit $?: $(grep -v ': OK$' "$top/out") $(cat "$top/err")"
  grep -v ': OK$' "$top/out" && broken "BSD tar in $locale"
done
cmp out/data/weights "$src/weights" || broken "a hard link, unpacked"
[ "$(readlink out/data/outward)" = /etc/passwd ] || broken "a symbolic link, unpacked"
[ "$(readlink 'out/data/long target')" = "$(readlink "$src/long target")" ] \
  || broken "a long symbolic link, unpacked"
chmod -R u+rwx out
rm -rf out
# Both list the same members: data/ and what the format puts behind.
zstd -dc E001.tar.zst | tar -t --quoting-style=literal >"$top/gnu.list" 2>"$top/err" \
  || broken "tar -t: $(cat "$top/err")"
zstd -dc E001.tar.zst | bsdtar -tf - >"$top/bsd.list" || broken "bsdtar -t"
[ "$(wc -l <"$top/gnu.list")" = "$(wc -l <"$top/bsd.list")" ] || broken "lists differ"
[ "$(tail -n 1 "$top/gnu.list")" = ./tagmanifest-sha256.txt ] || broken "the order of members"

# ---- changed: the digest file is made anew, as a careful forger would
refused() {
  (sha256sum E001.tar.zst >E001.tar.zst.sha256; sh "$top/gnu.sh") >"$top/out" 2>&1
  grep -q '^payload OK$' "$top/out" && broken "$1: payload OK"
  sh "$top/bsd.sh" >"$top/out" 2>&1 && broken "$1: BSD tar passes it"
  chmod -R u+rwx out 2>/dev/null
  rm -rf out
}
cp E001.tar.zst "$top/whole"
size=$(stat -c %s "$top/whole")

# Another byte than the one that is there, whatever that is.
byte=$(od -An -tu1 -j $((size / 3)) -N 1 E001.tar.zst | tr -d ' ')
printf "\\$(printf %o $((byte ^ 1)))" | dd of=E001.tar.zst bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
refused "a byte of the payload"

head -c $((size / 2)) "$top/whole" >E001.tar.zst
refused "a cut bundle"

# A file of the tar replaced, everything else left as it was.
mkdir "$top/forge"
zstd -dc "$top/whole" | tar -C "$top/forge" -xf - 2>/dev/null
# bsdtar 3.6 misreads a fraction of a second before 1970; GNU tar does not.
[ "$(stat -c '%y' "$top/forge/data/old")" = "$(stat -c '%y' "$src/old")" ] \
  || broken "a time before 1970, unpacked: $(stat -c '%y' "$top/forge/data/old")"
chmod u+rwx "$top/forge/data/closed"
printf 'not eight' >"$top/forge/data/closed/secret"
tar -C "$top/forge" --format=pax -cf - . | zstd -q >E001.tar.zst
refused "one file replaced"
cp "$top/whole" E001.tar.zst
sha256sum E001.tar.zst >E001.tar.zst.sha256
sh "$top/gnu.sh" >"$top/out" 2>&1
[ "$(tail -n 1 "$top/out")" = "payload OK" ] || broken "the whole bundle again"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "ok"
