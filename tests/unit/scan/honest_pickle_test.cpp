// SPDX-License-Identifier: Apache-2.0
/// What honest writers put into pickles, and the attack that looks most like
/// it: `malicious` is kept for a call that does harm.

#include "core/scan/guarded_calls.hpp"
#include "core/scan/pickle_lists.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

namespace {

Verdict verdict_of_bytes(const std::string& content) {
  return scan_bytes(content).verdict;
}

/// GLOBAL, a tuple of what `arguments` pushes, REDUCE.
std::string called(std::string_view module, std::string_view name,
                   const std::string& arguments) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n(" +
         arguments + "tR";
}

std::string named(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

std::string text(std::string_view value) {
  return PickleWriter().text(value).unfinished();
}

std::string pickled(const std::string& body) { return "\x80\x03" + body + "."; }

/// What torch.save(…, _use_new_zipfile_serialization=False) begins with, then a
/// pickle of the author's choice in place of the storage.
std::string torch_bytes(const std::string& object) {
  return "\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
         "\x80\x02}X\x0d\0\0\0little_endian\x88s."s +
         object + "\x80\x02]."s;
}

}  // namespace

TEST_CASE("an unlisted private name needs a review and is not malicious") {
  for (const bool is_called : {false, true}) {
    const std::string body = is_called
                                 ? called("somelib", "_restore", text("x"))
                                 : named("somelib", "_restore");
    const FileReport report = scan_bytes(pickled(body));
    CHECK(report.verdict == Verdict::needs_review);
    CHECK(has(report, "pickle-private-name"));
  }
}

TEST_CASE(
    "a harmful name that nothing calls needs a review and says the harm") {
  const FileReport report =
      scan_bytes(pickled("]" + named("subprocess", "Popen") + "a"));
  CHECK(report.verdict == Verdict::needs_review);
  const ScanFinding* import = find(report, "pickle-dangerous-import");
  REQUIRE(import != nullptr);
  CHECK(import->severity == Severity::high);
  CHECK(import->message.find("without calling it") != std::string::npos);
  CHECK(import->message.find("starts programs") != std::string::npos);
}

TEST_CASE("a harmful name is malicious where something may call it") {
  const std::string system = named("os", "system");
  SECTION("a function that calls its arguments") {
    CHECK(verdict_of_bytes(pickled(
              called("torch._tensor", "_rebuild_from_type_v2",
                     system + named("torch", "Tensor") + "(" + text("id") +
                         "t" + "N"))) == Verdict::malicious);
  }
  SECTION("a partial binds it") {
    CHECK(verdict_of_bytes(
              pickled(called("functools", "partial", system + text("id")))) ==
          Verdict::malicious);
  }
  SECTION("a state of a partial binds it") {
    CHECK(verdict_of_bytes(pickled(
              called("functools", "partial", named("builtins", "print")) + "(" +
              system + "(" + text("id") + "t}Ntb")) == Verdict::malicious);
  }
  SECTION("a call of what nobody vouched for is given it") {
    CHECK(verdict_of_bytes(pickled(called("mylib", "apply", system))) ==
          Verdict::malicious);
  }
  SECTION("the stream breaks off before it is seen what becomes of it") {
    CHECK(verdict_of_bytes("\x80\x03" + system) == Verdict::malicious);
  }
  SECTION("importing is all that it takes") {
    CHECK(verdict_of_bytes(pickled(named("antigravity", "fly"))) ==
          Verdict::malicious);
    CHECK(verdict_of_bytes(pickled(named("lib2to3.__main__", "sys"))) ==
          Verdict::malicious);
  }
}

TEST_CASE("a partial of a harmless function is allowed") {
  CHECK(verdict_of_bytes(pickled(
            called("functools", "partial", named("builtins", "int")))) ==
        Verdict::allow_listed);
}

TEST_CASE("a dotted name is malicious only if it leads to something harmful") {
  CHECK(verdict_of_bytes(pickled(named("mylib", "Outer.Inner"))) ==
        Verdict::needs_review);
  CHECK(verdict_of_bytes(pickled(called("mylib", "os.system", text("id")))) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(pickled(called("random", "_os.remove", text("x")))) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(pickled(called("numpy", "f2py.compile", text("x")))) ==
        Verdict::malicious);
}

TEST_CASE("type() tells the class of None, and of nothing else") {
  CHECK(verdict_of_bytes(pickled(called("builtins", "type", "N"))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(
            called("builtins", "type", named("builtins", "Ellipsis")))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(called(
            "builtins", "type", text("X") + "()t}"))) == Verdict::malicious);
  CHECK(verdict_of_bytes(
            pickled(called("builtins", "type", named("torch", "Tensor")))) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(pickled(named("builtins", "type") + "(" + text("X") +
                                 ")}t\x81")) == Verdict::malicious);
}

TEST_CASE("iter() of one value is allowed, and calls a function with two") {
  CHECK(verdict_of_bytes(pickled(called("builtins", "iter", "]"))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(
            called("builtins", "iter", named("builtins", "print") + "N"))) ==
        Verdict::malicious);
}

TEST_CASE("a bound method of a plain value or a class is no attack") {
  CHECK(verdict_of_bytes(
            pickled(called("builtins", "getattr", "]" + text("append")))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(called(
            "builtins", "getattr", named("numpy", "ndarray") + text("sum")))) ==
        Verdict::allow_listed);
  for (const char* attribute :
       {"__class__", "__reduce__", "__globals__", "_secret", "tofile", "system",
        "os", "a b", ""}) {
    INFO(attribute);
    CHECK(verdict_of_bytes(
              pickled(called("builtins", "getattr", "]" + text(attribute)))) ==
          Verdict::malicious);
    CHECK(verdict_of_bytes(
              pickled(called("builtins", "getattr",
                             named("numpy", "ndarray") + text(attribute)))) ==
          Verdict::malicious);
  }
  // What was got is called: somebody has to look.
  CHECK(
      verdict_of_bytes(pickled(called("builtins", "getattr",
                                      named("numpy", "ndarray") + text("sum")) +
                               ")R")) == Verdict::needs_review);
}

TEST_CASE("a time zone is restored by its private method, nothing else is") {
  const std::string restorer = called(
      "builtins", "getattr", named("zoneinfo", "ZoneInfo") + text("_unpickle"));
  CHECK(verdict_of_bytes(pickled(restorer + "(" + text("Europe/Berlin") +
                                 "\x88tR")) == Verdict::allow_listed);
  CHECK(verdict_of_bytes(
            pickled(called("builtins", "getattr",
                           named("zoneinfo", "ZoneInfo") + text("_reduce")) +
                    "(" + text("x") + "tR")) == Verdict::malicious);
}

TEST_CASE("a tensor by plain pickle.dump is judged by its bytes") {
  const std::string good = torch_bytes("\x80\x02}.");
  const std::string evil =
      torch_bytes(PickleWriter(2).call("os", "system", "id").stop());
  const auto as_bytes_of = [](const std::string& bytes) {
    return PickleWriter().bytes(bytes).unfinished();
  };
  // Protocols 1 and 2: characters of a text; 0: a line.
  const auto as_text_of = [](const std::string& bytes) {
    std::string utf8;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        utf8 += c;
      } else {
        utf8 += static_cast<char>(0xc0U | (byte >> 6U));
        utf8 += static_cast<char>(0x80U | (byte & 0x3fU));
      }
    }
    return called("_codecs", "encode", text(utf8) + text("latin1"));
  };
  const auto as_line_of = [](const std::string& bytes) {
    std::string line;
    for (const char c : bytes) {
      if (c == '\n' || c == '\\' || c == '\0' || c == '\r' || c == '\x1a') {
        constexpr std::string_view kDigits = "0123456789abcdef";
        line += "\\u00";
        line += kDigits[static_cast<unsigned char>(c) >> 4U];
        line += kDigits[static_cast<unsigned char>(c) & 15U];
      } else {
        line += c;
      }
    }
    return called("_codecs", "encode", "V" + line + "\nVlatin1\n");
  };
  const auto loaded = [](const std::string& argument) {
    return pickled(called("torch.storage", "_load_from_bytes", argument));
  };
  CHECK(verdict_of_bytes(loaded(as_bytes_of(good))) == Verdict::allow_listed);
  CHECK(verdict_of_bytes(loaded(as_text_of(good))) == Verdict::allow_listed);
  CHECK(verdict_of_bytes(loaded(as_line_of(good))) == Verdict::allow_listed);
  for (const auto& content :
       {loaded(as_bytes_of(evil)), loaded(as_text_of(evil)),
        loaded(as_line_of(evil))}) {
    const FileReport report = scan_bytes(content);
    CHECK(report.verdict == Verdict::malicious);
    const ScanFinding* call = find(report, "pickle-dangerous-call");
    REQUIRE(call != nullptr);
    CHECK(call->evidence == "os.system('id')");
  }
  SECTION("bytes that are computed, or begin as nothing of torch") {
    CHECK(verdict_of_bytes(loaded(as_bytes_of("N0cos\nsystem\n(S'id'\ntR."))) ==
          Verdict::needs_review);
    CHECK(verdict_of_bytes(loaded(called("builtins", "bytes", "]"))) ==
          Verdict::needs_review);
    CHECK(verdict_of_bytes(loaded("")) == Verdict::needs_review);
  }
}

TEST_CASE("a listed class is made without its constructor, not with settings") {
  const std::string model = named("ultralytics.nn.tasks", "DetectionModel");
  const auto settings = [](std::string_view activation) {
    return "}" + text("activation") + text(activation) + "s";
  };
  const std::string evil = settings("__import__('os').system('id')");
  CHECK(verdict_of_bytes(pickled(model + ")\x81}" + text("yaml") + "}sb")) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(model + ")R")) == Verdict::allow_listed);
  CHECK(verdict_of_bytes(
            pickled(called("ultralytics.nn.tasks", "DetectionModel",
                           settings("nn.SiLU()")))) == Verdict::needs_review);
  SECTION("by REDUCE, INST and OBJ") {
    for (const std::string& content :
         {called("ultralytics.nn.tasks", "DetectionModel", evil),
          "(" + evil + "iultralytics.nn.tasks\nDetectionModel\n",
          "(" + model + evil + "o"}) {
      const FileReport report = scan_bytes(pickled(content));
      CHECK(report.verdict == Verdict::malicious);
      const ScanFinding* call = find(report, "pickle-dangerous-call");
      REQUIRE(call != nullptr);
      CHECK(call->message.find("evaluates") != std::string::npos);
    }
  }
  SECTION("as the base class, whose constructor copyreg runs") {
    CHECK(verdict_of_bytes(pickled(called(
              "copyreg", "_reconstructor",
              named("torch.nn.modules.linear", "Linear") + model + evil))) ==
          Verdict::malicious);
    CHECK(verdict_of_bytes(pickled(called("copyreg", "_reconstructor",
                                          model + named("builtins", "object") +
                                              "N"))) == Verdict::allow_listed);
  }
  SECTION("handed to a function that calls it") {
    CHECK(verdict_of_bytes(pickled(
              called("torch._tensor", "_rebuild_from_type_v2",
                     model + named("torch", "Tensor") + "(" + evil + "tN"))) >=
          Verdict::needs_review);
  }
}

TEST_CASE("boosters take bytes, and open what a text names") {
  const std::string booster = named("xgboost.core", "Booster");
  CHECK(verdict_of_bytes(
            pickled(booster + ")\x81}" + text("handle") + "C\x02hib")) ==
        Verdict::needs_review);  // broken: C without its item
  CHECK(verdict_of_bytes(pickled(booster + ")\x81}" + text("handle") +
                                 "C\x02hisb")) == Verdict::allow_listed);
  for (const std::string_view place :
       {"/etc/model.bin", "s3://bucket/model", "http://198.51.100.7/m"}) {
    const FileReport report = scan_bytes(
        pickled(called("xgboost.core", "Booster", "NN" + text(place))));
    CHECK(report.verdict == Verdict::needs_review);
    const ScanFinding* call = find(report, "pickle-constructor");
    REQUIRE(call != nullptr);
    CHECK(call->severity == Severity::high);
    CHECK(call->message.find(place) != std::string::npos);
  }
}

TEST_CASE("a state that SciPy executes is malicious unless SciPy wrote it") {
  const auto distribution = [](std::string_view executed) {
    return pickled(named("scipy.stats._continuous_distns", "norm_gen") +
                   ")\x81}" + text("_parse_arg_template") + text(executed) +
                   "sb");
  };
  const std::string own =
      "\ndef _parse_args(self, a,  loc=0, scale=1):\n"
      "    return (a, ), loc, scale\n\n"
      "def _parse_args_rvs(self, a,  loc=0, scale=1, size=None):\n"
      "    return self._argcheck_rvs(a,  loc, scale, size=size)\n\n"
      "def _parse_args_stats(self, a,  loc=0, scale=1, moments='mv'):\n"
      "    return (a, ), loc, scale, moments\n";
  CHECK(verdict_of_bytes(distribution(own)) == Verdict::allow_listed);
  for (const std::string& evil :
       {"import os; os.system('id')"s, own + "import os\n",
        own + "def _parse_args(self, a=print()): pass",
        "def _parse_args(self, x): return (__import__, )"s}) {
    INFO(evil);
    CHECK(verdict_of_bytes(distribution(evil)) == Verdict::malicious);
  }
  // A key that is made up is not seen: not vouched for.
  CHECK(verdict_of_bytes(pickled(
            named("scipy.stats._continuous_distns", "norm_gen") + ")\x81}" +
            called("_codecs", "encode",
                   text("_parse_arg_template") + text("utf8")) +
            text("import os") + "sb")) >= Verdict::needs_review);
}

TEST_CASE("functions that call an argument are held to names of NumPy") {
  CHECK(verdict_of_bytes(
            pickled(called("numpy.random._pickle", "__generator_ctor",
                           text("PCG64") + named("numpy.random._pickle",
                                                 "__bit_generator_ctor")))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(
            called("numpy.random._pickle", "__generator_ctor",
                   text("id") + named("mylib", "f")))) == Verdict::malicious);
  CHECK(verdict_of_bytes(pickled(
            called("numpy.core", "_ufunc_reconstruct",
                   text("numpy.core._multiarray_umath") + text("log1p")))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(called("numpy.core", "_ufunc_reconstruct",
                                        text("os") + text("system")))) ==
        Verdict::malicious);
}

TEST_CASE("an annotation asks a name of typing for an item, others do not") {
  CHECK(verdict_of_bytes(pickled(
            called("_operator", "getitem",
                   named("typing", "List") + named("builtins", "int")))) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(called(
            "_operator", "getitem", named("collections", "deque") + "N"))) ==
        Verdict::malicious);
}

TEST_CASE("objects of a library pass by their state, its functions uncalled") {
  CHECK(verdict_of_bytes(
            pickled(named("pandas.core.arrays.datetimes", "DatetimeArray") +
                    ")\x81}b")) == Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled("]" + named("numpy", "log1p") + "a")) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(pickled(called("numpy", "log1p", "K\x01"))) ==
        Verdict::needs_review);
  CHECK(verdict_of_bytes(pickled(called("numpy", "fromfile", text("x")))) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(pickled(called("pandas.io.pickle", "read_pickle",
                                        text("x")))) == Verdict::malicious);
}

TEST_CASE("a class that opens a file is no object like others") {
  for (const std::string_view module :
       {"numpy", "numpy.core.memmap", "numpy._core.memmap"}) {
    INFO(module);
    CHECK(verdict_of_bytes(pickled(named(module, "memmap") + "(" +
                                   text("/tmp/x") + text("u1") + text("w+") +
                                   "t\x81")) == Verdict::malicious);
  }
}

namespace {

constexpr int kMany = 100'000;

/// A list of `count` objects of a class of NumPy, each with a state of its own:
/// made without a constructor, with one of protocol 0, as a bound method.
enum class Made { new_object, reconstructed, bound_method, of_no_list };

std::string many_objects(Made how, std::string_view between = {}) {
  std::string body = "](";
  for (int i = 0; i < kMany; ++i) {
    if (i == kMany / 2) body += between;
    const std::string number = "I" + std::to_string(i) + "\n";
    switch (how) {
      case Made::new_object:
        body += "cnumpy.polynomial\nThing\n)\x81}S'a'\n" + number + "sb";
        break;
      case Made::reconstructed:
        body +=
            "ccopy_reg\n_reconstructor\n(cnumpy.polynomial\nThing\n"
            "c__builtin__\nobject\nNtR}S'a'\n" +
            number + "sb";
        break;
      case Made::bound_method:
        body += "c__builtin__\ngetattr\n(]" + number + "aS'append'\ntR";
        break;
      case Made::of_no_list:
        body += "cmylib\nThing\n)\x81}S'a'\n" + number + "sb";
        break;
    }
  }
  return "\x80\x02" + body + "e.";
}

}  // namespace

TEST_CASE("a hundred thousand guarded objects are as good as one") {
  for (const Made how :
       {Made::new_object, Made::reconstructed, Made::bound_method}) {
    INFO(static_cast<int>(how));
    const FileReport report = scan_bytes(many_objects(how));
    CHECK(report.verdict == Verdict::allow_listed);
    CHECK(report.findings.empty());
    CHECK(report.read_to_end);
  }
}

TEST_CASE("one hostile call among a hundred thousand objects is seen") {
  const std::string calls[] = {
      called("os", "system", text("id")),
      called("builtins", "type", text("X") + "()t}"),
      called("functools", "partial", named("os", "system") + text("id")),
      called("numpy.random._pickle", "__generator_ctor",
             named("os", "system") + text("id")),
  };
  for (const Made how : {Made::new_object, Made::reconstructed,
                         Made::bound_method, Made::of_no_list}) {
    for (const std::string& call : calls) {
      INFO(static_cast<int>(how) << ' ' << call);
      CHECK(scan_bytes(many_objects(how, call)).verdict == Verdict::malicious);
    }
  }
  const FileReport report = scan_bytes(
      many_objects(Made::of_no_list, called("os", "system", text("id"))));
  const ScanFinding* const found = find(report, "pickle-dangerous-call");
  REQUIRE(found != nullptr);
  CHECK(found->evidence == "os.system('id')");
}

TEST_CASE("a name in the state of one of a hundred thousand objects is seen") {
  const std::string hidden = "cnumpy.polynomial\nThing\n)\x81}" + text("a") +
                             "(]" + named("os", "system") + "atsb";
  const FileReport report = scan_bytes(many_objects(Made::new_object, hidden));
  CHECK(report.verdict == Verdict::malicious);
}

TEST_CASE("more objects than are kept are still judged by their classes") {
  // Three containers each: above two million, none is kept.
  std::string body = "](";
  for (int i = 0; i < 800'000; ++i) {
    body += i == 0 ? "cnumpy.polynomial\nThing\nq\0)\x81}b"s : "h\0)\x81}b"s;
  }
  CHECK(verdict_of_bytes("\x80\x02" + body + "e.") == Verdict::allow_listed);
  const std::string hidden = "h\0)\x81}" + text("a") + named("os", "system");
  CHECK(verdict_of_bytes("\x80\x02" + body + hidden + "sbe.") ==
        Verdict::malicious);
  CHECK(verdict_of_bytes("\x80\x02" + body +
                         called("os", "system", text("id")) + "e.") ==
        Verdict::malicious);
}

TEST_CASE("every guarded row says why, and none is on another list") {
  for (const GuardedNames& row : guarded_names()) {
    INFO(row.module << ' ' << row.names);
    CHECK_FALSE(row.why.empty());
    CHECK_FALSE(to_string(row.guard).empty());
    if (row.names == "*") continue;
    const std::string first(row.names.substr(0, row.names.find(' ')));
    const std::string module(row.module.ends_with(".*")
                                 ? row.module.substr(0, row.module.size() - 2)
                                 : row.module);
    CHECK(guard_of(module, first) != nullptr);
  }
}

TEST_CASE("a rendered call is read back as it was written") {
  const auto tokens = rendered_tokens(
      R"(a.b('x\'(', b"\x00'", [1, -2.5e+3], None, <?>, 'y'…))");
  std::string kinds;
  for (const RenderedToken& token : tokens) {
    kinds += "ntb#.?c"[static_cast<std::size_t>(token.kind)];
  }
  CHECK(kinds == "n.t.b..#.#..n.?.tc.");
}
