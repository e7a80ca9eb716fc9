// SPDX-License-Identifier: Apache-2.0
/// What the scanner says about containers that lie, and about folders.

#include <zlib.h>

#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

namespace {

std::string evil_pickle() {
  return PickleWriter(2).call("os", "system", "id").stop();
}
std::string good_pickle() { return PickleWriter(2).raw("}").stop(); }

std::string deflate_as(std::string_view text, int bits) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) ==
          Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  Bytes in = copy_bytes(text);
  stream.next_in = reinterpret_cast<unsigned char*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A torch zip with one storage of four floats.
std::vector<ZipEntry> torch_entries(const std::string& storage) {
  const std::string pickle = PickleWriter(2)
                                 .raw("}")
                                 .text("w")
                                 .global("torch._utils", "_rebuild_tensor_v2")
                                 .raw("((")
                                 .text("storage")
                                 .global("torch", "FloatStorage")
                                 .text("0")
                                 .text("cpu")
                                 .raw("K\x04tQK")
                                 .raw("\0K\x04\x85K\x01\x85\x89"s)
                                 .global("collections", "OrderedDict")
                                 .raw(")RtRs")
                                 .stop();
  return {{.name = "archive/data.pkl", .content = pickle},
          {.name = "archive/byteorder", .content = "little"},
          {.name = "archive/data/0", .content = storage},
          {.name = "archive/version", .content = "3\n"}};
}

}  // namespace

TEST_CASE("every member of a zip is read by content") {
  for (const char* name : {"archive/data.pkl", "a.txt", "weights", "x.bin"}) {
    const FileReport report =
        scan_bytes(make_zip({{.name = name, .content = evil_pickle()}}));
    CHECK(report.verdict == Verdict::malicious);
    CHECK(find(report, "pickle-dangerous-call")->member == name);
  }
  SECTION("protocol 0 in a .bin (measured miss)") {
    CHECK(scan_bytes(make_zip({{.name = "a/b.bin",
                                .content = "cos\nsystem\n(S'id'\ntR."}}))
              .verdict == Verdict::malicious);
  }
  SECTION("zips in zips (measured miss)") {
    std::string nested = evil_pickle();
    for (int i = 0; i < 6; ++i) {
      nested = make_zip({{.name = "inner", .content = nested}});
    }
    CHECK(scan_bytes(nested).verdict == Verdict::malicious);
  }
  SECTION("deeper than eight levels is said, not passed over") {
    std::string nested = evil_pickle();
    for (int i = 0; i < 12; ++i) {
      nested = make_zip({{.name = "inner", .content = nested}});
    }
    const ScanReport report = scan_files({{"a", nested}});
    CHECK_FALSE(report.is_complete());
    CHECK(report.exit_code() == 3);
  }
}

TEST_CASE("zips that lie are read in spite of it, and the lie is reported") {
  ZipEntry entry{.name = "archive/data.pkl", .content = evil_pickle()};
  std::string rule;
  std::string content;
  SECTION("names differ (CVE-2025-1944)") {
    entry.local_name = "archive/readme.x";
    rule = "zip-mismatch";
  }
  SECTION("flag bits (CVE-2025-1945)") {
    entry.flags = GENERATE(as<std::uint16_t>{}, 0x1, 0x20, 0x40);
    rule = "zip-flags";
  }
  SECTION("flag bits in one header only") {
    entry.local_flags = 0x1;
    rule = "zip-mismatch";
  }
  SECTION("wrong CRC (CVE-2025-10156)") {
    entry.crc_error = 1;
    rule = "zip-crc";
  }
  SECTION("not in the directory") {
    entry.is_listed = false;
    rule = "zip-hidden-member";
  }
  SECTION("with something before it") {
    content = make_zip({entry}, "#!/bin/sh\n");
    rule = "zip-prefix";
  }
  SECTION("without a directory") {
    content = make_zip({entry});
    content.resize(content.find("PK\x01\x02"));
    rule = "zip-no-directory";
  }
  SECTION("the directory is damaged") {
    content = make_zip({entry});
    content[content.find("PK\x01\x02")] = 'Q';
    rule = "zip-directory";
  }
  SECTION("with something behind it") {
    content = make_zip({entry}) + "more";
    rule = "zip-suffix";
  }
  if (content.empty()) {
    content = make_zip({{.name = "archive/version", .content = "3\n"}, entry});
  }
  const FileReport report = scan_bytes(content);
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, rule));
}

TEST_CASE("names in archives") {
  CHECK(has(scan_bytes(make_zip({{.name = "../../etc/cron.d/x"}})),
            "archive-traversal"));
  CHECK(has(scan_bytes(make_zip({{.name = "/abs"}})), "archive-traversal"));
  CHECK(has(scan_bytes(make_zip({{.name = "a"}, {.name = "a"}})),
            "zip-duplicate"));
  CHECK(
      has(scan_bytes(make_zip(
              {{.name = "l", .content = "x", .attributes = 0120777U << 16U}})),
          "archive-symlink"));
  CHECK(has(scan_bytes(make_tar({{"../x", "y"}})), "archive-traversal"));
}

TEST_CASE("a torch zip fits together") {
  SECTION("as it should") {
    const FileReport report =
        scan_bytes(make_zip(torch_entries(std::string(16, 'w'))));
    CHECK(report.verdict == Verdict::weights_only_ok);
    CHECK(report.format == "torch-zip");
    CHECK(report.findings.empty());
  }
  SECTION("a storage of another size") {
    const FileReport report =
        scan_bytes(make_zip(torch_entries(std::string(20, 'w'))));
    CHECK(has(report, "torch-storage-size"));
  }
  SECTION("a storage too many") {
    std::vector<ZipEntry> entries = torch_entries(std::string(16, 'w'));
    entries.push_back({.name = "archive/data/1", .content = "payload"});
    CHECK(has(scan_bytes(make_zip(entries)), "torch-unreferenced"));
  }
  SECTION("a storage too few") {
    std::vector<ZipEntry> entries = torch_entries("");
    entries.erase(entries.begin() + 2);
    CHECK(has(scan_bytes(make_zip(entries)), "torch-storage-missing"));
  }
  SECTION("an impossible byte order") {
    std::vector<ZipEntry> entries = torch_entries(std::string(16, 'w'));
    entries[1].content = "middle";
    CHECK(has(scan_bytes(make_zip(entries)), "torch-byteorder"));
  }
  SECTION("a pickle in a storage") {
    std::vector<ZipEntry> entries = torch_entries(evil_pickle());
    CHECK(scan_bytes(make_zip(entries)).verdict == Verdict::malicious);
  }
}

TEST_CASE("TorchScript that opens files, and the code of torch packages") {
  const auto script = [](std::string_view code) {
    std::vector<ZipEntry> entries = torch_entries(std::string(16, 'w'));
    entries.push_back(
        {.name = "archive/code/__torch__/m.py", .content = std::string(code)});
    return scan_bytes(make_zip(entries));
  };
  const FileReport plain = script(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  _0 = torch.add(torch.matmul(x, self.w), ops.prim.dtype(x))\n"
      "  p : __torch__.torch.classes.quantized.LinearPackedParamsBase\n"
      "  return ops.quantized.linear_dynamic(x, \"torch.save(\")\n");
  CHECK(plain.verdict == Verdict::allow_listed);
  const FileReport saves = script("  torch.save(x, \"/root/.bashrc\")\n");
  REQUIRE(has(saves, "torchscript-file"));
  CHECK(find(saves, "torchscript-file")->evidence ==
        "torch.save(x, \"/root/.bashrc\")");
  CHECK(find(saves, "torchscript-file")->member ==
        "archive/code/__torch__/m.py");
  CHECK(saves.verdict == Verdict::malicious);
  CHECK(has(script("  y = ops.image.write_file(\"a\", x)\n"),
            "torchscript-file"));
  CHECK(has(script("  y = ^run(1)(x)\n"), "torchscript-python"));
  CHECK(has(script("  y = ops.evil.run(x)\n"), "torchscript-foreign"));
  CHECK(has(script("  y : __torch__.torch.classes.evil.Run\n"),
            "torchscript-foreign"));

  const FileReport package = scan_bytes(
      make_zip({{.name = "p/.data/extern_modules", .content = "torch\n"},
                {.name = "p/m.py", .content = "import os\nos.system('id')\n"},
                {.name = "p/m/model.pkl", .content = good_pickle()}}));
  CHECK(has(package, "torch-package"));
  REQUIRE(has(package, "code-import-effect"));
  CHECK(find(package, "code-import-effect")->member == "p/m.py");
  CHECK(package.verdict == Verdict::malicious);
}

TEST_CASE("the legacy tar of torch (measured miss)") {
  const std::string number = PickleWriter(2).raw("K\0"s).stop();
  const std::string tar =
      make_tar({{"storages", number + PickleWriter(2).raw("]").stop()},
                {"tensors", number},
                {"pickle", evil_pickle()}});
  const FileReport report = scan_bytes(tar);
  CHECK(report.verdict == Verdict::malicious);
  CHECK(report.format == "torch-tar");
  SECTION("in the member storages") {
    CHECK(scan_bytes(make_tar({{"storages", evil_pickle()},
                               {"tensors", number},
                               {"pickle", good_pickle()}}))
              .verdict == Verdict::malicious);
  }
  SECTION("between the tensors") {
    CHECK(scan_bytes(make_tar({{"storages", number},
                               {"tensors", number + "xx" + evil_pickle()},
                               {"pickle", good_pickle()}}))
              .verdict == Verdict::malicious);
  }
}

TEST_CASE("the five pickles of legacy torch run before the magic is compared") {
  const std::string magic =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  const std::string version = PickleWriter(2).raw("M\xe9\x03").stop();
  const std::string rest = good_pickle() + good_pickle();
  CHECK(scan_bytes(magic + version + good_pickle() + good_pickle() +
                   PickleWriter(2).raw("]").stop())
            .verdict == Verdict::weights_only_ok);
  CHECK(scan_bytes(magic + version + evil_pickle() + rest).verdict ==
        Verdict::malicious);
  CHECK(scan_bytes(magic + version + rest + PickleWriter(2).raw("]").stop() +
                   "trailing" + evil_pickle())
            .verdict == Verdict::malicious);
}

TEST_CASE("packed files are unpacked") {
  CHECK(scan_bytes(deflate_as(evil_pickle(), 31)).verdict ==
        Verdict::malicious);
  CHECK(scan_bytes(deflate_as(evil_pickle(), 15)).verdict ==
        Verdict::malicious);
  CHECK(scan_bytes(deflate_as(make_tar({{"a", evil_pickle()}}), 31)).verdict ==
        Verdict::malicious);
  SECTION("several gzip streams are one content") {
    const std::string evil = evil_pickle();
    CHECK(scan_bytes(deflate_as(evil.substr(0, 9), 31) +
                     deflate_as(evil.substr(9), 31))
              .verdict == Verdict::malicious);
  }
  SECTION("a bomb ends at the limit") {
    ScanOptions options;
    options.max_unpacked = 1U << 20U;
    const ScanReport report = scan_files(
        {{"a", deflate_as(std::string(8U << 20U, '\0'), 31)}}, options);
    CHECK_FALSE(report.is_complete());
    CHECK(report.exit_code() != 0);
  }
  SECTION("what cannot be unpacked is said") {
    const ScanReport report =
        scan_files({{"a", "7z\xbc\xaf\x27\x1c" + std::string(50, 'x')}});
    CHECK(report.exit_code() == 3);
  }
}

TEST_CASE("bytes that begin as gzip by chance are none, unless so called") {
  // A block type that does not exist; flags that are reserved.
  for (const std::string& bytes :
       {"\x1f\x8b\x08\0\0\0\0\0\0\0\xff"s + std::string(4000, '\x5a'),
        "\x1f\x8b\x08\xe7"s + std::string(4000, '\x17')}) {
    const FileReport report = scan_bytes(bytes, "weights.raw");
    CHECK(report.verdict == Verdict::no_code);
    CHECK(report.read_to_end);
    // A name that promises a checkpoint is held to that.
    CHECK(scan_bytes(bytes, "weights.bin").verdict == Verdict::needs_review);
    CHECK(scan_bytes(bytes, "weights.pkl.gz").verdict == Verdict::needs_review);
  }
}

TEST_CASE("arrays of objects are pickles") {
  const auto npy = [](std::string header, const std::string& body) {
    header.resize(118, ' ');
    header.back() = '\n';
    return "\x93NUMPY\x01" + std::string(1, '\0') + little(118, 2) + header +
           body;
  };
  CHECK(scan_bytes(npy("{'descr': '<f8', 'fortran_order': False, 'shape': "
                       "(2,), }",
                       std::string(16, 'x')))
            .findings.empty());
  CHECK(scan_bytes(npy("{'descr': '|O', 'fortran_order': False, 'shape': "
                       "(1,), }",
                       evil_pickle()))
            .verdict == Verdict::malicious);
  SECTION("in a field of a structured type") {
    CHECK(scan_bytes(npy("{'descr': [('a', '<i4'), ('b', [('c', '|O')])], "
                         "'fortran_order': False, 'shape': (1,), }",
                         evil_pickle()))
              .verdict == Verdict::malicious);
  }
  SECTION("behind the numbers") {
    const FileReport report =
        scan_bytes(npy("{'descr': '<f8', 'fortran_order': False, 'shape': "
                       "(2,), }",
                       std::string(16, 'x') + evil_pickle()));
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "numpy-trailing"));
  }
  SECTION("a header that is a program is not evaluated") {
    CHECK(has(scan_bytes(npy("{'descr': __import__('os').system('id')}", "")),
              "numpy-broken"));
  }
}

TEST_CASE("programs and secrets in any file") {
  const std::string elf =
      "\x7f"
      "ELF\x02\x01\x01" +
      std::string(60, '\0');
  SECTION("across the border of two blocks") {
    for (const std::size_t before :
         {std::size_t{0}, std::size_t{1000}, (std::size_t{4} << 20U) - 3,
          (std::size_t{4} << 20U) - 4096, std::size_t{9} << 20U}) {
      const FileReport report =
          scan_bytes(std::string(before, 'w') + elf + std::string(100, 'w'));
      const ScanFinding* program = find(report, "content-executable");
      REQUIRE(program != nullptr);
      CHECK(program->offset == before);
    }
  }
  SECTION("a secret across the border of two blocks") {
    const std::string secret =
        "hf_" + std::string("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3h");
    for (const std::size_t border :
         {(std::size_t{4} << 20U) - 4096, std::size_t{4} << 20U}) {
      for (std::size_t inside = 0; inside <= secret.size() + 1; ++inside) {
        INFO(inside << " bytes of it before " << border);
        // Blanks would be fields of a protobuf, walked to their end each time.
        const FileReport report = scan_bytes(std::string(border - inside, '.') +
                                             secret + std::string(5000, '.'));
        const ScanFinding* token = find(report, "content-secret");
        REQUIRE(token != nullptr);
        CHECK(token->offset == border - inside);
      }
    }
  }
  SECTION("a token is shown cut") {
    const FileReport report = scan_bytes(
        "x = hf_" + std::string("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3h") + "\n");
    const ScanFinding* token = find(report, "content-secret");
    REQUIRE(token != nullptr);
    CHECK(token->evidence.find("C0dF3h") == std::string::npos);
  }
  SECTION("placeholders and words are none") {
    CHECK(scan_bytes("AKIAIOSFODNN7EXAMPLE AKIAXXXXXXXXXXXXXXXX hf_model\n"
                     "-----BEGIN PRIVATE KEY-----\n...\n")
              .findings.empty());
  }
  SECTION("in packed members too") {
    CHECK(has(scan_bytes(deflate_as(elf, 31)), "content-executable"));
  }
}

TEST_CASE("safetensors carry no code, and what they hide is looked at") {
  const auto file = [](std::string header, const std::string& body) {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return little(header.size(), 8) + header + body;
  };
  const std::string header =
      R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const FileReport sound = scan_bytes(file(header, "12345678"));
  CHECK(sound.verdict == Verdict::no_code);
  CHECK(sound.format == "safetensors");
  CHECK(sound.findings.empty());
  SECTION("a pickle behind the tensors") {
    const FileReport report =
        scan_bytes(file(header, "12345678" + evil_pickle()));
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "safetensors-trailing-bytes"));
  }
  SECTION("a zip behind the tensors") {
    const FileReport report =
        scan_bytes(file(header, "12345678") +
                   make_zip({{.name = "data.pkl", .content = evil_pickle()}}));
    CHECK(report.verdict == Verdict::malicious);
  }
  SECTION("code in the metadata") {
    const FileReport report = scan_bytes(file(
        R"x({"__metadata__":{"n":"__import__('os').system('id')"}})x", ""));
    CHECK(has(report, "metadata-code"));
  }
}

TEST_CASE("folders of Hugging Face") {
  const ScanReport report =
      scan_files({{"config.json",
                   R"({"auto_map": {"AutoModel": "other/repo--modeling.Net",
            "AutoConfig": "configuration_x.Config"},
            "trust_remote_code": true})"},
                  {"configuration_x.py", "class Config: pass\n"}});
  CHECK(has(report.files.at(0), "hf-foreign-code"));
  CHECK(has(report.files.at(0), "hf-auto-map"));
  CHECK(has(report.files.at(0), "hf-trust-remote-code"));
  CHECK(has(report.files.at(1), "folder-code"));
  CHECK(report.exit_code() == 1);
}

TEST_CASE("SARIF has one of three levels for each of the five severities") {
  ScanReport report;
  report.files.emplace_back();
  for (const Severity severity :
       {Severity::info, Severity::low, Severity::medium, Severity::high,
        Severity::critical}) {
    ScanFinding finding;
    finding.rule = "content-secret";
    finding.severity = severity;
    report.files[0].findings.push_back(finding);
  }
  const Json results = to_sarif(report, "0.1")["runs"][0]["results"];
  REQUIRE(results.size() == 5);
  const std::vector<std::string> expected{"note", "note", "warning", "error",
                                          "error"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(results[i]["level"] == expected[i]);
  }
}

TEST_CASE("a report is told in three ways") {
  const ScanReport report =
      scan_files({{"a b.pkl", evil_pickle()}, {"good.pkl", good_pickle()}});
  const Json json = to_json(report);
  CHECK(json["verdict"] == "malicious");
  CHECK(json["files"][0]["path"] == "a b.pkl");
  CHECK(json["files"][0]["sha256"].get<std::string>().size() == 64);
  CHECK(json["files"][0]["findings"][0]["evidence"] == "os.system('id')");
  CHECK(json["files"][1]["verdict"] == "weights-only-ok");
  const Json sarif = to_sarif(report, "0.1");
  CHECK(sarif["version"] == "2.1.0");
  const Json& result = sarif["runs"][0]["results"][0];
  CHECK(result["ruleId"] == "pickle-dangerous-call");
  CHECK(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] ==
        "a%20b.pkl");
  CHECK(to_text(report).find("os.system('id')") != std::string::npos);
}

TEST_CASE("a member is read eight levels deep, and one deeper is not passed") {
  std::string content = evil_pickle();
  for (int level = 0; level < 8; ++level) {
    content = make_zip({{.name = "a", .content = content}});
  }
  CHECK(has(scan_bytes(content), "pickle-dangerous-call"));
  const FileReport deeper =
      scan_bytes(make_zip({{.name = "a", .content = content}}));
  CHECK_FALSE(has(deeper, "pickle-dangerous-call"));
  CHECK_FALSE(deeper.read_to_end);
  CHECK(deeper.verdict != Verdict::no_code);
}

TEST_CASE("a scan that was stopped is not complete, and ends with 3") {
  SilentProgress progress;
  Cancellation cancellation;
  const BytesTree tree({{"a", "text"}, {"b", "text"}});
  const ScanReport whole = scan_tree(tree, {}, progress, cancellation);
  CHECK(whole.is_complete());
  CHECK(whole.exit_code() == 0);
  cancellation.request();
  const ScanReport stopped = scan_tree(tree, {}, progress, cancellation);
  CHECK(stopped.files.empty());
  CHECK_FALSE(stopped.is_complete());
  CHECK(stopped.exit_code() == 3);
}

TEST_CASE("a pickle of a protocol that no Python has is not walked as one") {
  const FileReport known = scan_bytes("\x80\x05}."s, "a.pkl");
  CHECK(known.verdict == Verdict::weights_only_ok);
  const FileReport unknown = scan_bytes("\x80\x06}."s, "a.pkl");
  CHECK(unknown.verdict == Verdict::needs_review);
  CHECK_FALSE(unknown.read_to_end);
}
