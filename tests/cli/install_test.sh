# SPDX-License-Identifier: Apache-2.0
# The installed program finds its playbooks; the Debian package holds them and
# says what it needs; the papers are there, and the links between them live.
. "$(dirname "$0")/harness.sh"
unset IMPOUND_PLAYBOOKS

cmake --install "$IMPOUND_BUILD" --prefix "$work/prefix" >log 2>&1 || fail "$(tail -n 5 log)"
cd / || exit 1
code 0 "$work/prefix/bin/impound" playbook list --json
json 'any(p["id"] == "weights-tampering" and p["folder"].startswith("'"$work"'/prefix/share") for p in d)'
code 0 "$work/prefix/bin/impound" playbook check weights-tampering
[ -s "$work/prefix/share/impound/lua/api/context.lua" ] || fail "the API stubs are not installed"
papers=$work/prefix/share/doc/impound
[ -s "$papers/docs/custody.md" ] || fail "the papers are not installed"
code 0 python3 -B "$IMPOUND_SOURCE/tests/docs/guard.py" --links "$papers"
# What the program says of itself is installed with it, and is the same.
for page in impound impound-run impound-case impound-completion; do
  [ -s "$work/prefix/share/man/man1/$page.1" ] || fail "no manual page $page.1 is installed"
done
[ ! -e "$work/prefix/share/man/man1/impound-man-pages.1" ] || fail "a hidden command has a manual page"
"$work/prefix/bin/impound" completion bash | cmp - "$work/prefix/share/bash-completion/completions/impound" || fail "another bash completion is installed"
"$work/prefix/bin/impound" completion zsh | cmp - "$work/prefix/share/zsh/site-functions/_impound" || fail "another zsh completion is installed"
"$work/prefix/bin/impound" completion fish | cmp - "$work/prefix/share/fish/vendor_completions.d/impound.fish" || fail "another fish completion is installed"

cd "$work" || exit 1
cpack --config "$IMPOUND_BUILD/CPackConfig.cmake" -G DEB -B "$work/deb" >log 2>&1 || fail "$(tail -n 5 log)"
package=$(find deb -maxdepth 1 -name '*.deb')
dpkg-deb -f "$package" Depends | grep -q libsqlite3 || fail "the package does not say what it needs"
dpkg-deb -x "$package" root
[ -x root/usr/bin/impound ] || fail "no program in the package"
code 0 root/usr/bin/impound --version
code 0 root/usr/bin/impound playbook list --json
json 'any(p["folder"].startswith("'"$work"'/root/usr/share") for p in d)'
code 0 python3 -B "$IMPOUND_SOURCE/tests/docs/guard.py" --links root/usr/share/doc/impound
[ -s root/usr/share/man/man1/impound.1 ] || [ -s root/usr/share/man/man1/impound.1.gz ] || fail "no manual page in the package"
[ -s root/usr/share/zsh/vendor-completions/_impound ] || fail "no zsh completion in the package"
