# SPDX-License-Identifier: Apache-2.0
# What Tab offers, in the shells themselves; manual pages as man reads them.
. "$(dirname "$0")/harness.sh"

examiner
new_case IR-1
new_case IR-2
deployment d
code 0 impound collect model-files --deployment d/d.toml --case IR-1

# A real bash: the words of a line, and what its completion offers for the last.
mkdir bin
ln -s "$IMPOUND" bin/impound
export PATH=$work/bin:$PATH
cat >ask.bash <<'BASH'
source <(impound completion bash)
# As readline cuts a line: '=' is a word of its own.
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_impound
printf '%s\n' "${COMPREPLY[@]}"
BASH
bash_offers() { bash --norc ask.bash impound "$@"; }
offers() { # WANTED WORDS…: one line of the answer is WANTED
  local wanted=$1
  shift
  bash_offers "$@" >by_bash
  grep -qx -- "$wanted" by_bash || fail "bash does not offer $wanted for: $* ($(tr '\n' ' ' <by_bash))"
}
offers custody cus
offers verify custody v
offers IR-2 case show --case ""
offers E001 --case IR-1 exhibit show ""
equal "$(bash_offers --case IR-2 exhibit show E)" ""
offers weights-tampering run we
offers model-files collect model
offers process contain ""
offers --deployment run x --dep
offers always --color = a
offers always --color = ""
offers d run x --deployment d
offers d/d.toml run x --deployment d/d
equal "$(bash_offers run x --deployment d/log | grep -c toml)" 0
offers zsh completion z
equal "$(bash_offers no-such-command '')" ""
# Words that bash would run are handed over as words.
bash_offers exhibit show '$(touch ran)' >/dev/null
[ ! -e ran ] || fail "a word of the line was run"

# It answers where nothing is set up, writes nothing, and says nothing else.
before=$(cd "$IMPOUND_HOME/IR-1" && find . -type f -exec sha256sum {} + | sort)
code 0 env -u HOME -u IMPOUND_HOME -u XDG_CONFIG_HOME "$IMPOUND" __complete exhibit show ""
[ ! -s err ] || fail "completion speaks: $(cat err)"
code 0 impound __complete --case IR-1 exhibit show ""
equal "$(cd "$IMPOUND_HOME/IR-1" && find . -type f -exec sha256sum {} + | sort)" "$before"
code 0 impound __complete exhibit show "" --case
code 0 impound __complete

# The scripts themselves are what each shell understands.
code 0 impound completion bash
bash -n out || fail "bash does not read its completion"
if command -v zsh >/dev/null; then
  code 0 impound completion zsh
  zsh -n out || fail "zsh does not read its completion"
  zsh_offers() { zsh -f "$IMPOUND_SOURCE/tests/cli/completion.zsh" "$1"; }
  zsh_offers "impound cus" >by_zsh
  grep -qx custody by_zsh || fail "zsh does not offer custody: $(cat by_zsh)"
  zsh_offers "impound --case IR-1 exhibit show E" >by_zsh
  grep -qx E001 by_zsh || fail "zsh does not offer E001: $(cat by_zsh)"
else
  echo "not tried: no zsh"
fi
if command -v fish >/dev/null; then
  code 0 impound completion fish
  fish --no-execute out || fail "fish does not read its completion"
  fish_offers() { fish --no-config -c 'impound completion fish | source; complete -C "$argv[1]"' "$1"; }
  fish_offers "impound cus" >by_fish
  grep -q '^custody' by_fish || fail "fish does not offer custody: $(cat by_fish)"
  fish_offers "impound --case IR-1 exhibit show E" >by_fish
  grep -q '^E001' by_fish || fail "fish does not offer E001: $(cat by_fish)"
else
  echo "not tried: no fish"
fi

# One manual page for each command at the top; man and groff read them without a word.
code 0 impound -q man-pages man1
for command in $("$IMPOUND" __complete "" | sed -n 's/\t.*//p'); do
  [ -s "man1/impound-$command.1" ] || fail "no manual page of $command"
done
if command -v groff >/dev/null; then
  for page in man1/*.1; do
    complaints=$(groff -man -Tutf8 -ww -K utf8 "$page" 2>&1 >/dev/null)
    [ -z "$complaints" ] || fail "$page: $complaints"
  done
else
  echo "not tried: no groff"
fi
if command -v man >/dev/null; then
  MANWIDTH=80 man -l man1/impound-run.1 >shown 2>err || fail "man: $(cat err)"
  grep -q -- "--deployment" shown || fail "man does not show --deployment"
else
  echo "not tried: no man"
fi
