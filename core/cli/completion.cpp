// SPDX-License-Identifier: Apache-2.0
#include "core/cli/completion.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/text.hpp"
#include "core/engine/next_command.hpp"

namespace impound {
namespace {

/// bash hands a word with '=' on in three parts (COMP_WORDBREAKS): they are put
/// together for the program, and what bash holds already is cut off again.
constexpr std::string_view kBash =
    R"sh(# bash completion of impound, made by 'impound completion bash'.
_impound() {
  local word line held= glue=
  local -a words=() found=()
  local i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = && ${#words[@]} -gt 0 ]]; then
      words[${#words[@]}-1]+='='
      held=${words[${#words[@]}-1]}
      glue=1
    elif [[ $glue ]]; then
      words[${#words[@]}-1]+=$word
      glue=
    else
      words+=("$word")
      held=
    fi
  done
  local current=${words[${#words[@]}-1]}
  current=${current#"$held"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :none) ;;
      :files) compopt -o filenames 2>/dev/null; mapfile -t found < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null; mapfile -t found < <(compgen -d -- "$current") ;;
      :descriptors)
        compopt -o filenames 2>/dev/null
        mapfile -t found < <(compgen -d -- "$current"; compgen -f -X '!*.toml' -- "$current") ;;
      *) line=${line%%$'\t'*}; COMPREPLY+=("${line#"$held"}") ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
  COMPREPLY+=("${found[@]}")
}
complete -F _impound impound
)sh";

constexpr std::string_view kZsh = R"sh(#compdef impound
# zsh completion of impound, made by 'impound completion zsh'.
_impound() {
  local -a lines found
  local line names=none
  lines=("${(@f)$("${(Q)words[1]/#\~/$HOME}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${lines[@]}"; do
    case $line in
      :*) names=${line#:} ;;
      *$'\t'*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
      ?*) found+=("${line//:/\\:}") ;;
    esac
  done
  (( $#found )) && _describe -V impound found
  case $names in
    files) _files ;;
    folders) _files -/ ;;
    descriptors) _files -g '*.toml(-.)' ;;
  esac
}
if [ "$funcstack[1]" = _impound ]; then
  _impound "$@"
else
  compdef _impound impound
fi
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion of impound, made by 'impound completion fish'.
function __impound_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l program $words[1]
  set -e words[1]
  for line in ($program __complete $words "$current" 2>/dev/null)
    switch $line
      case :none
      case :files
        __fish_complete_path "$current"
      case :folders
        __fish_complete_directories "$current"
      case :descriptors
        __fish_complete_directories "$current"
        for file in (__fish_complete_path "$current")
          string match -q '*.toml*' -- $file; and echo $file
        end
      case '*'
        echo $line
    end
  end
end
complete -c impound -f -a '(__impound_complete)'
)sh";

constexpr std::array kShells{
    std::pair{Shell::bash, std::string_view("bash")},
    std::pair{Shell::zsh, std::string_view("zsh")},
    std::pair{Shell::fish, std::string_view("fish")},
};

/// Where the words in front of the typed one lead.
struct Place {
  const CommandPage* page = nullptr;      ///< nullptr: to no command
  const ArgumentPage* waiting = nullptr;  ///< an option without its value yet
  bool only_words = false;                ///< "--" was there
  TypedBefore before;
};

const ArgumentPage* find_option(const CommandPage& root,
                                const CommandPage& page,
                                std::string_view name) {
  for (const CommandPage* one : {&page, &root}) {
    for (const ArgumentPage& option : one->options) {
      if (std::ranges::find(option.names, name) != option.names.end()) {
        return &option;
      }
    }
  }
  return nullptr;
}

void note_value(Place& place, const ArgumentPage& option,
                const std::string& value) {
  if (option.names.back() == "--case") place.before.case_name = value;
}

Place follow(const CommandPage& root, std::span<const std::string> words) {
  Place place;
  place.page = &root;
  for (const std::string& word : words) {
    if (place.waiting != nullptr) {
      note_value(place, *place.waiting, word);
      place.waiting = nullptr;
    } else if (place.only_words) {
      place.before.positionals.push_back(word);
    } else if (word == "--") {
      place.only_words = true;
    } else if (word.starts_with('-') && word.size() > 1) {
      const std::size_t equals = word.find('=');
      const ArgumentPage* option =
          find_option(root, *place.page, word.substr(0, equals));
      if (option == nullptr || !option->takes_value) continue;
      if (equals == std::string::npos) {
        place.waiting = option;
      } else {
        note_value(place, *option, word.substr(equals + 1));
      }
    } else if (!place.page->commands.empty()) {
      const CommandPage* below = place.page->find(word);
      if (below == nullptr) return {};
      place.page = below;
    } else {
      place.before.positionals.push_back(word);
    }
  }
  return place;
}

FileNames files_for(ValueKind kind) {
  switch (kind) {
    case ValueKind::file:
    case ValueKind::model:
      return FileNames::any;
    case ValueKind::folder:
    case ValueKind::playbook:
    case ValueKind::case_name:
      return FileNames::folders;
    case ValueKind::descriptor:
    case ValueKind::deployment:
      return FileNames::descriptors;
    default:
      return FileNames::none;
  }
}

/// "help case n": the commands below those named already.
std::vector<Candidate> commands_below(const CommandPage& root,
                                      const std::vector<std::string>& words) {
  const CommandPage* page = &root;
  for (const std::string& word : words) {
    page = page->find(word);
    if (page == nullptr) return {};
  }
  std::vector<Candidate> found;
  for (const CommandPage& one : page->commands) {
    found.push_back({one.name, one.summary});
  }
  return found;
}

Completion values_of(const CommandPage& root, const ArgumentPage& argument,
                     const TypedBefore& before, const KnownThings& known) {
  Completion completion;
  for (const std::string& choice : argument.choices) {
    completion.candidates.push_back({choice, ""});
  }
  if (!argument.choices.empty()) return completion;
  completion.candidates = argument.kind == ValueKind::command
                              ? commands_below(root, before.positionals)
                              : known(argument.kind, before);
  completion.files = files_for(argument.kind);
  return completion;
}

Completion options_of(const CommandPage& root, const CommandPage& page) {
  Completion completion;
  const auto add = [&](const CommandPage& one) {
    for (const ArgumentPage& option : one.options) {
      const std::string& name = option.names.back();
      const bool is_there =
          std::ranges::find(completion.candidates, name, &Candidate::word) !=
          completion.candidates.end();
      if (!is_there) completion.candidates.push_back({name, option.help});
    }
  };
  add(page);
  add(root);
  return completion;
}

/// Of what could stand there, what begins as it was typed.
Completion begun_with(Completion completion, std::string_view typed) {
  std::erase_if(completion.candidates, [&](const Candidate& one) {
    // A word that a shell would not take as it is: typed wrongly, or a command
    // that somebody put into a name.
    return !one.word.starts_with(typed) || shell_word(one.word) != one.word;
  });
  return completion;
}

}  // namespace

Completion complete(const CommandPage& root, std::span<const std::string> words,
                    const KnownThings& known) {
  if (words.empty()) return {};
  const std::string& typed = words.back();
  const Place place = follow(root, words.first(words.size() - 1));
  if (place.page == nullptr) return {};
  if (place.waiting != nullptr) {
    return begun_with(values_of(root, *place.waiting, place.before, known),
                      typed);
  }
  if (typed.starts_with('-') && !place.only_words) {
    const std::size_t equals = typed.find('=');
    if (equals == std::string::npos) {
      return begun_with(options_of(root, *place.page), typed);
    }
    const ArgumentPage* option =
        find_option(root, *place.page, typed.substr(0, equals));
    if (option == nullptr || !option->takes_value) return {};
    Completion completion = values_of(root, *option, place.before, known);
    for (Candidate& one : completion.candidates) {
      one.word.insert(0, typed.substr(0, equals + 1));
    }
    return begun_with(std::move(completion), typed);
  }
  if (!place.page->commands.empty()) {
    return begun_with({commands_below(*place.page, {}), FileNames::none},
                      typed);
  }
  const auto& positionals = place.page->positionals;
  if (positionals.empty()) return {};
  std::size_t at = place.before.positionals.size();
  if (at >= positionals.size()) {
    if (!positionals.back().is_repeated) return {};
    at = positionals.size() - 1;
  }
  return begun_with(values_of(root, positionals[at], place.before, known),
                    typed);
}

std::string to_text(const Completion& completion) {
  std::string text;
  for (const Candidate& one : completion.candidates) {
    text += one.word;
    if (!one.sentence.empty()) {
      // One line each, whatever a title holds.
      text += "\t" + printable(one.sentence);
    }
    text += "\n";
  }
  switch (completion.files) {
    case FileNames::none:
      return text + ":none\n";
    case FileNames::any:
      return text + ":files\n";
    case FileNames::folders:
      return text + ":folders\n";
    case FileNames::descriptors:
      return text + ":descriptors\n";
  }
  return text;
}

std::string_view to_string(Shell shell) noexcept {
  for (const auto& [one, name] : kShells) {
    if (one == shell) return name;
  }
  return {};
}

std::optional<Shell> shell_from(std::string_view name) noexcept {
  for (const auto& [one, known] : kShells) {
    if (known == name) return one;
  }
  return std::nullopt;
}

std::string_view completion_script(Shell shell) noexcept {
  switch (shell) {
    case Shell::bash:
      return kBash;
    case Shell::zsh:
      return kZsh;
    case Shell::fish:
      return kFish;
  }
  return {};
}

}  // namespace impound
