# SPDX-License-Identifier: Apache-2.0
# Prints what a real zsh offers for a line, one a line: zsh -f completion.zsh LINE
# A second zsh on a pseudo-terminal is the one that completes; what it offers is
# written down by _describe before it goes to the screen.
zmodload zsh/zpty
zpty -b inner zsh -f -i
zpty -w inner "PS1= ; unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit && compinit -u -D; source <(impound completion zsh)"
zpty -w inner '_describe() { local name=${argv[-1]}; print -l -- "${(P@)name}" > offered; }; _files() { : }; _finish() { zle -I; print DONE; }; zle -N _finish; bindkey ^X^F _finish'
zpty -w -n inner "$1"$'\t'
for attempt in {1..100}; do
  [[ -s offered ]] && break
  sleep 0.1
done
zpty -d inner
[[ -s offered ]] && sed 's/:.*//' offered
rm -f offered
