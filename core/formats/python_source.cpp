// SPDX-License-Identifier: Apache-2.0
#include "core/formats/python_source.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "core/base/text.hpp"

namespace impound {
namespace {

using Reach = PythonCall::Reach;

/// A name as it stands before a parenthesis or a dot. One that ends in '.' or
/// '_' is a beginning: every name that goes on from it counts.
struct CallName {
  std::string_view name;
  Reach reach;
};

constexpr std::array kCalls{
    CallName{"os.system", Reach::program},
    CallName{"os.popen", Reach::program},
    CallName{"os.exec", Reach::program},
    CallName{"os.spawn", Reach::program},
    CallName{"os.posix_spawn", Reach::program},
    CallName{"os.startfile", Reach::program},
    CallName{"os.fork", Reach::program},
    CallName{"subprocess.", Reach::program},
    CallName{"commands.getoutput", Reach::program},
    CallName{"pty.spawn", Reach::program},
    CallName{"Popen", Reach::program},
    CallName{"check_output", Reach::program},
    CallName{"asyncio.create_subprocess_", Reach::program},
    CallName{"eval", Reach::code},
    CallName{"exec", Reach::code},
    CallName{"execfile", Reach::code},
    CallName{"__import__", Reach::code},
    CallName{"runpy.", Reach::code},
    CallName{"code.interact", Reach::code},
    CallName{"ctypes.CDLL", Reach::code},
    CallName{"ctypes.cdll", Reach::code},
    CallName{"CDLL", Reach::code},
    CallName{"torch.ops.load_library", Reach::code},
    CallName{"torch.classes.load_library", Reach::code},
    CallName{"torch.hub.load", Reach::code},
    CallName{"load_inline", Reach::code},
    CallName{"cpp_extension.load", Reach::code},
    CallName{"pip.main", Reach::code},
    CallName{"types.FunctionType", Reach::code},
    CallName{"types.CodeType", Reach::code},
    CallName{"socket.socket", Reach::network},
    CallName{"socket.create_connection", Reach::network},
    CallName{"urllib.request.", Reach::network},
    CallName{"urlopen", Reach::network},
    CallName{"urlretrieve", Reach::network},
    CallName{"requests.get", Reach::network},
    CallName{"requests.post", Reach::network},
    CallName{"requests.put", Reach::network},
    CallName{"requests.request", Reach::network},
    CallName{"httpx.", Reach::network},
    CallName{"http.client.", Reach::network},
    CallName{"ftplib.", Reach::network},
    CallName{"smtplib.", Reach::network},
    CallName{"paramiko.", Reach::network},
    CallName{"marshal.loads", Reach::unpack},
    CallName{"marshal.load", Reach::unpack},
    CallName{"pickle.loads", Reach::unpack},
    CallName{"pickle.load", Reach::unpack},
    CallName{"dill.load", Reach::unpack},
    CallName{"cloudpickle.load", Reach::unpack},
    CallName{"joblib.load", Reach::unpack},
    CallName{"base64.b64decode", Reach::unpack},
    CallName{"base64.b85decode", Reach::unpack},
    CallName{"codecs.decode", Reach::unpack},
    CallName{"zlib.decompress", Reach::unpack},
    CallName{"bytes.fromhex", Reach::unpack},
};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool starts_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) &&
         (text.size() == word.size() || !is_name(text[word.size()]));
}

class SourceWalk {
 public:
  explicit SourceWalk(std::string_view text) : text_(text) {}

  PythonSource run() {
    while (at_ < text_.size()) {
      const std::size_t begin = at_;
      const bool continues = depth_ != 0 || quote_ != 0 || is_joined_;
      code_.clear();
      line();
      ++out_.lines;
      const std::string_view raw = text_.substr(begin, at_ - begin);
      statement(raw, begin, continues);
    }
    out_.imports.assign(imports_.begin(), imports_.end());
    return std::move(out_);
  }

 private:
  /// Reads to the end of a line; strings become "" and comments nothing.
  void line() {
    is_joined_ = false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (quote_ != 0) {
        in_string(c);
        if (c == '\n') return;
        continue;
      }
      if (c == '\n') return;
      if (c == '#') {
        const std::size_t end = text_.find('\n', at_);
        at_ = end == std::string_view::npos ? text_.size() : end + 1;
        return;
      }
      if (c == '"' || c == '\'') {
        quote_ = c;
        is_long_ = text_.substr(at_).starts_with(std::string(2, c));
        if (is_long_) at_ += 2;
        code_ += "\"";
        continue;
      }
      if (c == '(' || c == '[' || c == '{') ++depth_;
      if ((c == ')' || c == ']' || c == '}') && depth_ > 0) --depth_;
      if (c == '\\' && at_ < text_.size() && text_[at_] == '\n') {
        is_joined_ = true;
        continue;
      }
      code_ += c;
    }
  }

  void in_string(char c) {
    if (c == '\\') {
      if (at_ < text_.size()) ++at_;
      return;
    }
    if (c == '\n' && !is_long_) quote_ = 0;  // not closed: Python would stop
    if (c != quote_) return;
    if (is_long_) {
      if (!text_.substr(at_).starts_with(std::string(2, c))) return;
      at_ += 2;
    }
    quote_ = 0;
    code_ += "\"";
  }

  void statement(std::string_view raw, std::size_t begin, bool continues) {
    const std::string_view code = trim(code_);
    if (code.empty()) return;
    if (!continues) block(code, code_.find_first_not_of(" \t"));
    const bool at_import =
        std::none_of(blocks_.begin(), blocks_.end(),
                     [](const Block& each) { return each.is_deferred; });
    if (!continues) imports(code);
    calls(code, raw, begin, at_import);
  }

  /// Follows which definitions a line stands in.
  void block(std::string_view code, std::size_t indent) {
    while (!blocks_.empty() && blocks_.back().indent >= indent) {
      blocks_.pop_back();
    }
    const bool is_function =
        starts_word(code, "def") || starts_word(code, "async");
    const bool is_guarded = starts_word(code, "if") &&
                            code.find("__name__") != std::string_view::npos;
    if (blocks_.size() < kMaxBlocks) {
      blocks_.push_back(
          {.indent = indent, .is_deferred = is_function || is_guarded});
    }
  }

  void imports(std::string_view code) {
    std::string_view names;
    if (starts_word(code, "import")) {
      names = code.substr(6);
    } else if (starts_word(code, "from")) {
      names = code.substr(4);
      names = names.substr(0, names.find(" import"));
    } else {
      return;
    }
    for (const std::string_view part : split(names, ',')) {
      const std::string_view name = trim(part);
      std::size_t end = 0;
      while (end < name.size() && is_name(name[end])) ++end;
      if (end != 0 && imports_.size() < PythonSource::kMaxImports) {
        imports_.insert(
            std::string(name.substr(0, std::min<std::size_t>(end, 128))));
      }
    }
  }

  void calls(std::string_view code, std::string_view raw, std::size_t begin,
             bool at_import) {
    if (starts_word(code, "import") || starts_word(code, "from")) return;
    std::size_t at = 0;
    while (at < code.size()) {
      if (!is_name(code[at])) {
        ++at;
        continue;
      }
      const std::size_t first = at;
      while (at < code.size() && (is_name(code[at]) || code[at] == '.')) ++at;
      const bool is_attribute = first > 0 && code[first - 1] == '.';
      const std::string_view name = code.substr(first, at - first);
      const std::string_view rest = trim(code.substr(at));
      if (is_attribute) continue;  // of something computed
      const std::string_view before = trim(code.substr(0, first));
      if (before.ends_with("def")) continue;
      for (const CallName& known : kCalls) {
        if (!matches(name, known.name, rest)) continue;
        if (out_.calls.size() < PythonSource::kMaxCalls) {
          out_.calls.push_back({.reach = known.reach,
                                .name = std::string(name.substr(0, 128)),
                                .line = out_.lines,
                                .offset = begin,
                                .at_import = at_import,
                                .text = std::string(trim(raw).substr(0, 400))});
        }
        break;
      }
    }
  }

  static bool matches(std::string_view name, std::string_view known,
                      std::string_view rest) {
    if (known.ends_with('.') || known.ends_with('_') || known == "os.exec" ||
        known == "os.spawn") {
      return name.size() > known.size() && name.starts_with(known) &&
             rest.starts_with('(');
    }
    return name == known && rest.starts_with('(');
  }

  struct Block {
    std::size_t indent;
    bool is_deferred;  ///< a function, or what only a program runs
  };
  static constexpr std::size_t kMaxBlocks = 200;

  std::string_view text_;
  std::size_t at_ = 0;
  std::string code_;  ///< of the line at hand, without strings and comments
  char quote_ = 0;    ///< within a string: what ends it
  bool is_long_ = false;
  bool is_joined_ = false;  ///< a backslash joins the next line
  int depth_ = 0;           ///< of brackets
  std::vector<Block> blocks_;
  std::set<std::string> imports_;
  PythonSource out_;
};

}  // namespace

PythonSource read_python_source(std::string_view text) {
  const bool is_cut = text.size() > PythonSource::kMaxBytes;
  PythonSource source =
      SourceWalk(text.substr(0, PythonSource::kMaxBytes)).run();
  source.is_cut = is_cut;
  return source;
}

}  // namespace impound
