// SPDX-License-Identifier: Apache-2.0
/// What the scanner says about hostile pickles: the evasions that other
/// scanners missed, each under the name of its advisory or measurement.

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

}  // namespace

TEST_CASE("a call is rendered with its arguments") {
  const FileReport report =
      scan_bytes(PickleWriter(2).call("os", "system", "echo 'hi'\n").stop());
  CHECK(report.verdict == Verdict::malicious);
  CHECK(report.format == "pickle");
  const ScanFinding* call = find(report, "pickle-dangerous-call");
  REQUIRE(call != nullptr);
  CHECK(call->evidence == "os.system(\"echo 'hi'\\n\")");
  CHECK(call->severity == Severity::critical);
  CHECK(call->atlas == "AML.T0011.000");
}

TEST_CASE("every way to call is a call") {
  const auto [name, content] = GENERATE(table<std::string, std::string>({
      {"REDUCE", "cos\nsystem\nX\x02\0\0\0id\x85R."s},
      {"REDUCE with MARK TUPLE", "cos\nsystem\n(S'id'\ntR."s},
      {"INST", "(S'id'\nios\nsystem\n."s},
      {"OBJ", "(cos\nsystem\nS'id'\no."s},
      {"NEWOBJ",
       "\x80\x02"
       "cos\nsystem\nX\x02\0\0\0id\x85\x81."s},
      {"NEWOBJ_EX",
       "\x80\x04"
       "cos\nsystem\nX\x02\0\0\0id\x85}\x92."s},
      {"STACK_GLOBAL", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."s},
      {"UNICODE escapes", "\x80\x04V\\u006fs\nVsystem\n\x93S'id'\n\x85R."s},
      {"STRING escapes", "\x80\x04S'\\x6fs'\nS\"system\"\n\x93S'id'\n\x85R."s},
      {"through the memo",
       "\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x30\x30h\x00h\x01\x93\x8c\x02id\x85R."s},
      {"through a large memo index",
       "cos\nsystem\nr\xff\xff\xff\x7f"
       "0j\xff\xff\xff\x7fS'id'\n\x85R."s},
      {"OBJ then POP (GHSA-mxhj-88fx-4pcv)", "(cos\nsystem\nS'id'\no0N."s},
      {"with DUP", "cos\nsystem\n2S'id'\n\x85R0."s},
  }));
  INFO(name);
  const FileReport report = scan_bytes(content);
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "pickle-dangerous-call"));
}

TEST_CASE("names are resolved as the protocol in force does") {
  SECTION("a dotted name reaches through a module (GHSA-5j3x-jp52-966f)") {
    for (const int protocol : {0, 2, 4}) {
      const FileReport report = scan_bytes(
          PickleWriter(protocol).call("pathlib", "os.system", "id").stop());
      CHECK(report.verdict == Verdict::malicious);
      CHECK(has(report, "pickle-dotted-name"));
    }
  }
  SECTION("Python 2 names are mapped below protocol 3") {
    const FileReport report =
        scan_bytes(PickleWriter(2).call("__builtin__", "eval", "1").stop());
    const ScanFinding* call = find(report, "pickle-dangerous-call");
    REQUIRE(call != nullptr);
    CHECK(call->evidence == "builtins.eval('1')");
    CHECK(verdict_of_bytes(
              PickleWriter(2).call("commands", "getoutput", "id").stop()) ==
          Verdict::malicious);
  }
  SECTION("a second PROTO in mid-stream changes the rule") {
    const FileReport report = scan_bytes(PickleWriter(2)
                                             .raw("N0\x80\x04")
                                             .call("pathlib", "os.system", "id")
                                             .stop());
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "pickle-protocol-change"));
  }
  SECTION("a private alias is no way around") {
    CHECK(
        verdict_of_bytes(PickleWriter(4).call("somelib", "_os", "id").stop()) ==
        Verdict::malicious);
  }
}

TEST_CASE("gadgets of the published advisories are malicious") {
  const auto [module, name] = GENERATE(table<std::string, std::string>({
      {"pip", "main"},  // CVE-2025-1716
      {"asyncio.unix_events", "_UnixSubprocessTransport"},
      {"os.path", "join"},  // CVE-2025-10157
      {"pip._internal", "main"},
      {"pkgutil", "resolve_name"},      // GHSA-vvpj-8cmc-gx39
      {"uuid", "_get_command_stdout"},  // GHSA-g38g-8gr9-h9xp
      {"_osx_support", "_read_output"},
      {"_aix_support", "_read_cmd_output"},
      {"imaplib", "IMAP4_stream"},
      {"_pyrepl.pager", "pipe_pager"},
      {"test.support.script_helper", "assert_python_ok"},
      {"_operator", "methodcaller"},  // GHSA-955r-x9j8-7rhh
      {"operator", "attrgetter"},
      {"distutils.file_util", "write_file"},      // GHSA-m273-6v24-x4m4
      {"ctypes", "CDLL"},                         // GHSA-4675-36f9-wf6r
      {"pydoc", "locate"},                        // GHSA-84r2-jw7c-4r5q
      {"pty", "spawn"},                           // GHSA-vqmv-47xg-9wpr
      {"numpy.f2py.crackfortran", "getlincoef"},  // GHSA-r8g5-cgf2-4m4m
      {"numpy.testing._private.utils", "runstring"},
      {"runpy", "run_path"},
      {"cProfile", "runctx"},  // GHSA-p523-jq9w-64x9
      {"profile", "Profile.run"},
      {"timeit", "timeit"},
      {"trace", "Trace.runctx"},
      {"doctest", "debug_script"},
      {"ensurepip", "_run_pip"},
      {"idlelib.run", "Executive.runcode"},
      {"idlelib.autocomplete", "AutoComplete.get_entity"},
      {"lib2to3.pgen2.grammar", "Grammar.loads"},
      {"code", "InteractiveInterpreter.runcode"},
      {"bdb", "Bdb"},
      {"torch.utils.collect_env", "run"},
      {"torch.utils._config_module", "ConfigModule.load_config"},
      {"torch._inductor.codecache", "compile_file"},
      {"torch._dynamo.guards", "GuardBuilder.get"},
      {"torch.jit.unsupported_tensor_ops", "execWrapper"},
      {"torch.fx.experimental.symbolic_shapes",
       "ShapeEnv.evaluate_guards_expression"},
      {"torch.utils.data.datapipes.utils.decoder", "basichandlers"},
      {"torch.serialization", "load"},
      {"torch.hub", "load"},
      {"cloudpickle.cloudpickle", "_make_function"},
      {"marshal", "loads"},  // GHSA-565g-hwwr-4pp3
      {"types", "FunctionType"},
      {"types", "CodeType"},
      {"logging", "FileHandler"},
      {"_io", "FileIO"},
      {"builtins", "__import__"},
      {"builtins", "getattr"},
      {"builtins", "open"},
      {"__builtin__", "apply"},
      {"multiprocessing.util", "spawnv_passfds"},
      {"_posixsubprocess", "fork_exec"},
      {"numpy.core", "_ufunc_reconstruct"},
      {"functools", "reduce"},
      {"importlib", "import_module"},
      {"urllib.request", "urlopen"},
      {"socket", "create_connection"},
      {"webbrowser", "open"},
      {"unknown.package", "system"},
  }));
  INFO(module + " " + name);
  CHECK(verdict_of_bytes(PickleWriter(4).call(module, name, "x").stop()) ==
        Verdict::malicious);
  // Importing alone is enough to be seen, and no protocol hides it; what
  // numpy.core's function imports, its arguments say.
  if (module == "numpy.core") return;
  CHECK(verdict_of_bytes(PickleWriter(2).global(module, name).stop()) >=
        Verdict::needs_review);
}

TEST_CASE("what nobody vouched for needs a review") {
  const FileReport report =
      scan_bytes(PickleWriter(4).call("mylib.models", "Net", "x").stop());
  CHECK(report.verdict == Verdict::needs_review);
  CHECK(has(report, "pickle-unknown-call"));
  CHECK(scan_files({{"a", PickleWriter(4).global("mylib", "Net").stop()}})
            .exit_code() == 1);
  SECTION("BUILD on it") {
    CHECK(has(scan_bytes("\x80\x02"
                         "cmylib\nNet\n)\x81}b."s),
              "pickle-unknown-call"));
  }
  SECTION("EXT opcodes") {
    CHECK(has(scan_bytes("\x80\x02\x82\x05."s), "pickle-extension"));
    CHECK(verdict_of_bytes("\x80\x02\x84\x05\0\0\0."s) ==
          Verdict::needs_review);
  }
  SECTION("a persistent id that is no storage") {
    CHECK(has(scan_bytes("\x80\x02X\x03\0\0\0abcQ."s), "pickle-persistent-id"));
  }
  SECTION("the result of a call is called") {
    const FileReport computed = scan_bytes(
        "\x80\x02"
        "ccollections\nOrderedDict\n)R)R."s);
    CHECK(has(computed, "pickle-computed-call"));
    CHECK(computed.verdict == Verdict::needs_review);
  }
}

TEST_CASE("what is grave is said behind more calls than are listed") {
  for (const std::size_t before : {255U, 256U, 257U, 600U, 1100U}) {
    INFO(before << " calls before it");
    PickleWriter writer(2);
    for (std::size_t i = 0; i < before; ++i) {
      writer.call("module" + std::to_string(i), "make", "a").raw("0");
    }
    const FileReport report =
        scan_bytes(writer.call("os", "system", "id").stop(), "a.pkl");
    CHECK(report.verdict == Verdict::malicious);
    REQUIRE(!report.findings.empty());
    CHECK(report.findings.front().severity == Severity::critical);
    CHECK(report.findings.front().evidence.find("os.system") == 0);
    CHECK(report.findings.size() <= 1001);
  }
}

TEST_CASE("getattr for the schedule of OneCycleLR is no attack, any other is") {
  const auto get = [](std::string_view what, std::string_view name) {
    return PickleWriter(2)
        .raw("}")
        .text("anneal_func")
        .global("__builtin__", "getattr")
        .raw("q\x01")
        .global("torch.optim.lr_scheduler", what)
        .raw(")\x81")
        .text(name)
        .raw("\x86Rs");
  };
  CHECK(verdict_of_bytes(get("OneCycleLR", "_annealing_cos").stop()) ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes(get("OneCycleLR", "__init__").stop()) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(get("StepLR", "_annealing_cos").stop()) ==
        Verdict::malicious);
  CHECK(verdict_of_bytes(get("OneCycleLR", "LINEAR").stop()) ==
        Verdict::allow_listed);  // a member of an enumeration
  SECTION("and none if it is handed on") {
    CHECK(verdict_of_bytes(get("OneCycleLR", "_annealing_cos")
                               .text("f")
                               .raw("h\x01s")
                               .stop()) == Verdict::malicious);
    CHECK(verdict_of_bytes(get("OneCycleLR", "_annealing_cos")
                               .text("f")
                               .global("torch._tensor", "_rebuild_from_type_v2")
                               .raw("h\x01\x85Rs")
                               .stop()) == Verdict::malicious);
    CHECK(verdict_of_bytes(
              get("OneCycleLR", "_annealing_cos").raw("h\x01").stop()) ==
          Verdict::malicious);
  }
}

TEST_CASE("gadgets of picklescan's and fickling's advisories") {
  // GHSA id, module and name of its callable: none of them may pass.
  const auto [id, module, name] =
      GENERATE(table<std::string, std::string, std::string>({
          {"GHSA-655q-fx9r-782v", "pip", "main"},
          {"GHSA-vvpj-8cmc-gx39", "pkgutil", "resolve_name"},
          {"GHSA-g38g-8gr9-h9xp", "uuid", "_popen"},
          {"GHSA-46h3-79wf-xr6c", "_osx_support", "compiler_fixup"},
          {"GHSA-955r-x9j8-7rhh", "_operator", "attrgetter"},
          {"GHSA-m273-6v24-x4m4", "distutils.file_util", "write_file"},
          {"GHSA-4675-36f9-wf6r", "ctypes", "PyDLL"},
          {"GHSA-84r2-jw7c-4r5q", "pydoc", "locate"},
          {"GHSA-vqmv-47xg-9wpr", "pty", "spawn"},
          {"GHSA-r8g5-cgf2-4m4m", "numpy.f2py.crackfortran", "param_eval"},
          {"GHSA-9726-w42j-3qjr", "code", "InteractiveInterpreter.runcode"},
          {"GHSA-9m3x-qqw2-h32h", "asyncio.unix_events",
           "_UnixSubprocessTransport._start"},
          {"GHSA-97f8-7cmv-76j2", "socket", "create_connection"},
          {"GHSA-m7j5-r2p5-c39r", "timeit", "main"},
          {"GHSA-gx77-x2pv-48v7", "_pyrepl.pager", "plain"},
          {"GHSA-f7qq-56ww-84cr", "os.path", "os.system"},
          {"GHSA-r7v6-mfhq-g3m2", "pty", "spawn"},
          {"GHSA-565g-hwwr-4pp3", "types", "CodeType"},
          {"GHSA-wfq2-52f7-7qvj", "runpy", "run_module"},
          {"GHSA-q5qq-mvfm-j35x", "multiprocessing.util", "spawnv_passfds"},
          {"GHSA-p523-jq9w-64x9", "cProfile", "run"},
          {"GHSA-5hvc-6wx8-mvv4", "ctypes", "CDLL"},
          {"GHSA-h4rm-mm56-xf63", "builtins", "compile"},
          {"GHSA-5hwf-rc88-82xm", "_aix_support", "_read_cmd_output"},
          {"GHSA-5j3x-jp52-966f", "pathlib", "os.system"},
          {"GHSA-6ggj-6f2q-f7mx", "_posixsubprocess", "fork_exec"},
          {"GHSA-pc6j-px3p-rrj4", "sqlite3", "connect"},
          {"GHSA-fphw-536r-4p88", "shelve", "open"},
      }));
  INFO(id);
  const ScanReport called = scan_files(
      {{"model.bin", PickleWriter(4).call(module, name, "x").stop()}});
  CHECK(called.verdict() >= Verdict::needs_review);
  CHECK(called.exit_code() == 1);
  const ScanReport imported =
      scan_files({{"notes.txt", PickleWriter(4).global(module, name).stop()}});
  CHECK(imported.exit_code() == 1);
}

TEST_CASE("GHSA-mxhj-88fx-4pcv: OBJ whose result is popped") {
  const FileReport report =
      scan_bytes("\x80\x02(cos\nsystem\nX\x02\0\0\0ido0N."s);
  CHECK(report.verdict == Verdict::malicious);
}

TEST_CASE("GHSA-cffv-grgg-g429: an allowed name from another module") {
  CHECK(verdict_of_bytes(
            PickleWriter(4).call("evil", "_rebuild_tensor_v2", "x").stop()) >=
        Verdict::needs_review);
}

TEST_CASE("a computed import is malicious") {
  const FileReport report = scan_bytes(
      "\x80\x04"
      "ccollections\nOrderedDict\n)R\x8c\x06system\x93\x8c\x02id\x85R."s);
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "pickle-computed-import"));
}

TEST_CASE("attributes of an import are not replaced unseen") {
  const FileReport report = scan_bytes(
      "\x80\x02"
      "ccollections\nOrderedDict\nN}X\x01\0\0\0aK\x01s\x86"
      "b."s);
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "pickle-build-on-import"));
}

TEST_CASE("findings survive a broken stream (nullifAI)") {
  const std::string evil =
      PickleWriter(4).call("posix", "system", "id").unfinished();
  for (const std::string& end :
       {""s, "\xff\xff\xff"s, "X\xff\xff\xff\x7f"s, "t"s, "h\x7f"s}) {
    const FileReport report = scan_bytes(evil + end);
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "pickle-dangerous-call"));
    CHECK(has(report, "pickle-broken"));
  }
}

TEST_CASE("pickles behind STOP and behind garbage are read") {
  const std::string good = PickleWriter(2).raw("}").stop();
  const std::string evil = PickleWriter(2).call("os", "system", "id").stop();
  SECTION("directly behind") {
    const FileReport report = scan_bytes(good + evil);
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "pickle-stacked"));
  }
  SECTION("behind a gap") {
    for (const std::size_t gap : {1U, 100U, 5000U, 100'000U, 2'000'000U}) {
      const FileReport report =
          scan_bytes(good + std::string(gap, '\0') + evil);
      CHECK(report.verdict == Verdict::malicious);
      CHECK(has(report, "pickle-resumed"));
    }
  }
  SECTION("behind an error, protocol 0") {
    const FileReport report =
        scan_bytes(PickleWriter(2).raw("\xff\xff junk ").unfinished() + good +
                   "\xfe cos\nsystem\n(S'id'\ntR.");
    CHECK(report.verdict == Verdict::malicious);
  }
  SECTION("trailing bytes alone need a look") {
    const FileReport report = scan_bytes(good + "something else");
    CHECK(report.verdict == Verdict::needs_review);
    CHECK(has(report, "pickle-trailing"));
  }
}

TEST_CASE("pickles within constants are read") {
  const std::string evil = PickleWriter(4).call("os", "system", "id; #").stop();
  const auto hex = to_hex(as_bytes(evil));
  const auto base64 = to_base64(as_bytes(evil));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"raw", PickleWriter(4).bytes(evil).stop()},
      {"hex", PickleWriter(4).text(hex).stop()},
      {"base64", PickleWriter(4).text(base64).stop()},
      {"base64 bytes", PickleWriter(4).bytes(base64).stop()},
      {"twice",
       PickleWriter(4).bytes(PickleWriter(4).text(base64).stop()).stop()},
      {"text form", PickleWriter(2).text("cos\nsystem\n(S'id'\ntR.").stop()},
      {"text form in base64",
       PickleWriter(2)
           .text(to_base64(as_bytes("cos\nsystem\n(S'id'\ntR.")))
           .stop()},
      {"latin-1 text", PickleWriter(2)
                           .text("\xc2\x80\x02"
                                 "cos\nsystem\n(S'id'\ntR.")
                           .stop()},
      {"line of protocol 0", "S'cos\nsystem"s + "\n."},
  };
  for (const auto& [name, content] : cases) {
    if (name == "line of protocol 0") continue;
    INFO(name);
    const FileReport report = scan_bytes(content);
    CHECK(report.verdict == Verdict::malicious);
    const ScanFinding* call = find(report, "pickle-dangerous-call");
    REQUIRE(call != nullptr);
    CHECK(call->member.find("constant@") != std::string::npos);
  }
}

TEST_CASE("frames that lie are reported") {
  const std::string body = PickleWriter().call("os", "system", "id").stop();
  SECTION("an opcode straddles the end") {
    const FileReport report = scan_bytes("\x80\x04\x95" + little(5, 8) + body);
    CHECK(has(report, "pickle-frame"));
    CHECK(report.verdict == Verdict::malicious);
  }
  SECTION("longer than the file") {
    CHECK(has(scan_bytes("\x80\x04\x95" + little(1U << 30U, 8) + body),
              "pickle-frame"));
  }
}

TEST_CASE("nothing is taken from below a mark") {
  // Found by fuzz_torch: APPEND below a MARK, then TUPLE.
  const std::string import =
      "\x80\x02"
      "ccollections\nOrderedDict\n0";
  CHECK(has(scan_bytes(import + "]K\x01(at."), "pickle-broken"));
  CHECK(has(scan_bytes(import + "}K\x01K\x02(st."), "pickle-broken"));
}

TEST_CASE("a stream of more names than are kept is given up, not tried anew") {
  // Each of the 70,000 names begins something that looks like a pickle.
  std::string names;
  for (int i = 0; i < 70'000; ++i) {
    names += "cm" + std::to_string(i) + "\nf\n0";
  }
  const FileReport report = scan_bytes("\x80\x02" + names + "N.");
  CHECK(has(report, "pickle-limit"));
  CHECK(has(report, "file-findings-cut"));
  CHECK(report.verdict == Verdict::needs_review);
}

TEST_CASE("bombs are bounded and reported") {
  SECTION("lists of lists of lists") {
    std::string bomb = "\x80\x02(lp0\n";
    for (int i = 1; i < 30; ++i) {
      bomb += "0(";
      for (int k = 0; k < 10; ++k) bomb += "g" + std::to_string(i - 1) + "\n";
      bomb += "lp" + std::to_string(i) + "\n";
    }
    CHECK(has(scan_bytes(bomb + "."), "pickle-expansion"));
  }
  SECTION("DUP") {
    CHECK(has(scan_bytes("\x80\x02N" + std::string(1000, '2') + "t."),
              "pickle-expansion"));
  }
  SECTION("marks without end") {
    const FileReport report =
        scan_bytes("\x80\x02" + std::string(5'000'000, '('));
    CHECK(has(report, "pickle-limit"));
  }
}

TEST_CASE("joblib's arrays are skipped and looked at as opcodes too") {
  // What joblib takes for numbers, pickle.load takes for opcodes.
  const std::string hidden = "cos\nsystem\n(S'id'\ntR.";
  const std::string wrapper =
      PickleWriter(2)
          .global("joblib.numpy_pickle", "NumpyArrayWrapper")
          .raw(")\x81}(")
          .text("shape")
          .raw("K"s + static_cast<char>(hidden.size()) + "\x85")
          .text("dtype")
          .global("numpy", "dtype")
          .text("u1")
          .raw("\x85R")
          .raw("ub")
          .unfinished();
  const FileReport report = scan_bytes(wrapper + hidden + ".");
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "pickle-dangerous-call"));
}

TEST_CASE("the four verdicts") {
  CHECK(verdict_of_bytes(PickleWriter(2).raw("}").stop()) ==
        Verdict::weights_only_ok);
  CHECK(verdict_of_bytes("\x80\x02"
                         "ccollections\nOrderedDict\n)R.") ==
        Verdict::weights_only_ok);
  // The same by opcodes that weights_only does not know.
  CHECK(verdict_of_bytes("\x80\x04\x8c\x0b"
                         "collections\x8c\x0bOrderedDict\x93)R.") ==
        Verdict::allow_listed);
  CHECK(verdict_of_bytes("\x80\x02"
                         "ccollections\ndeque\n)R.") == Verdict::allow_listed);
  CHECK(scan_files({{"a", PickleWriter(2).raw("}").stop()}}).exit_code() == 0);
}

TEST_CASE("text and other files are not taken for pickles") {
  for (const std::string& text :
       {"class Foo:\n    import os\n"s, "# readme\n"s, "(a list)\n"s,
        "{\"a\": 1}"s, "I am a text.\n"s, "N."s + std::string(100, 'x'),
        std::string(1000, '\0'), "PK\x03\x04 not really"s}) {
    INFO(text.substr(0, 20));
    const FileReport report = scan_bytes(text);
    CHECK(report.format.find("pickle") == std::string::npos);
    CHECK(report.verdict < Verdict::malicious);
  }
}
