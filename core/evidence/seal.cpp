// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/seal.hpp"

#include <fmt/format.h>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// VERIFY.sh, for one bundle. `@NAME@` is the bundle's file name,
/// `@SHA256@` its digest.
constexpr std::string_view kVerifyTemplate =
    R"TEXT(How to check @NAME@ without impound
======================================================

Needed: a POSIX shell, coreutils, GNU tar, zstd, sed, grep, diff. Run this in
the folder that holds @NAME@. It writes one file, "got", and unpacks nothing.

  export LC_ALL=C

  # 1. The bundle is the one that was sealed, and it decodes.
  #    Compare the digest with the one in the custody record, too:
  #    @SHA256@
  sha256sum -c @NAME@.sha256
  zstd -t @NAME@

  # 2. Every file in it equals the manifest.
  zstd -dc @NAME@ | tar -xf - --to-command='[ "$TAR_FILETYPE" = f ] && printf "%s  %s\n" "$(sha256sum | cut -c1-64)" "$TAR_FILENAME" || cat >/dev/null' \
    | sed 's|%|%25|g; s|  \./|  |' | grep -a '  data/' | sort -k2 > got
  zstd -dc @NAME@ | tar -xOf - ./manifest-sha256.txt | sort -k2 | diff - got && echo "payload OK"

With BSD tar, unpack into an empty folder and compare there (a '%' in a file
name is written as %25 in the manifest):

  mkdir out && zstd -dc @NAME@ | bsdtar -xf - -C out
  cd out && cat manifest-sha256.txt tagmanifest-sha256.txt | sed 's|%25|%|g' | sha256sum -c

What it means
-------------
* Every line must end in "OK", and "payload OK" must be printed. Anything else
  means that the bundle is not the one that was sealed, or is damaged.
* A second name of a file that is in the bundle already is a hard link: it has
  no bytes of its own and no line in the manifest. meta/files.jsonl lists it.
* A file name that held a line break is stored with \x0A (or \x0D) in its
  place; the true name stands in meta/files.jsonl.
* meta/files.jsonl says for every file where it came from, how many bytes were
  declared and read, and what came of it. meta/skipped.jsonl lists what was
  asked for and not obtained. Read both: a matching digest proves that the
  bundle is unchanged, not that it is complete.
)TEXT";

void replace_all(std::string& text, std::string_view from,
                 std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string compression_text(const FrameLevels& levels) {
  return fmt::format("zstd, independent frames, level {}/{}", levels.weights,
                     levels.text);
}

std::string bag_info_text(const BagInfo& info) {
  std::string text;
  const auto line = [&](std::string_view key, std::string_view value) {
    text += fmt::format("{}: {}\n", key, lossless_utf8(value));
  };
  line("Bag-Software-Agent", "impound");
  line("Bagging-Date", info.sealed_at.substr(0, 10));
  line("External-Identifier", info.case_id + "/" + info.exhibit_id);
  line("Payload-Oxum",
       fmt::format("{}.{}", info.payload_bytes, info.payload_files));
  line("Impound-Format", std::to_string(layout::kVersion));
  line("Impound-Sealed-At", info.sealed_at);
  line("Impound-Items", std::to_string(info.items));
  line("Impound-Gaps", std::to_string(info.gaps));
  line("Impound-Compression", info.compression);
  line("Impound-Chain-Head", info.chain_head);
  for (const auto& [key, value] : info.extra) line(key, value);
  return text;
}

std::string verify_text(const SealFacts& facts) {
  std::string text(kVerifyTemplate);
  replace_all(text, "@NAME@", facts.bundle_name);
  replace_all(text, "@SHA256@", facts.bundle_sha256.hex());
  return text;
}

std::string digest_file_text(const SealFacts& facts) {
  return facts.bundle_sha256.hex() + "  " + facts.bundle_name + "\n";
}

std::string seal_text(const SealFacts& facts) {
  Json seal = Json::object();
  seal["format"] = "impound-bundle";
  seal["version"] = layout::kVersion;
  seal["case"] = facts.case_id;
  seal["exhibit"] = facts.exhibit_id;
  seal["bundle"] = {{"name", facts.bundle_name},
                    {"size", facts.bundle_size},
                    {"sha256", facts.bundle_sha256.hex()}};
  seal["manifest_sha256"] = facts.manifest_sha256.hex();
  seal["tagmanifest_sha256"] = facts.tagmanifest_sha256.hex();
  seal["verify_txt_sha256"] = sha256(verify_text(facts)).hex();
  seal["payload_bytes"] = facts.payload_bytes;
  seal["items"] = facts.items;
  seal["gaps"] = facts.gaps;
  seal["counts"] = facts.counts;
  seal["compression"] = facts.compression;
  seal["chain_head"] = facts.chain_head;
  seal["sealed_at"] = facts.sealed_at;
  seal["meta"] = {{"first_frame", facts.meta.first_frame},
                  {"tar_offset", facts.meta.tar_offset},
                  {"tar_size", facts.meta.tar_size}};
  seal["frame_fields"] = {"offset", "stored", "content", "first_item",
                          "sha256"};
  std::string text = dump_pretty(seal);
  text.erase(text.size() - std::string_view("\n}\n").size());
  // One frame a line: thousands of them are read by people with grep.
  text += ",\n  \"frames\": [";
  for (std::size_t i = 0; i < facts.frames.size(); ++i) {
    const SealedFrame& frame = facts.frames[i];
    text +=
        fmt::format("{}\n    [{}, {}, {}, {}, \"{}\"]", i == 0 ? "" : ",",
                    frame.entry.offset, frame.entry.stored, frame.entry.content,
                    frame.first_item, frame.sha256.hex());
  }
  text += "\n  ]\n}\n";
  return text;
}

}  // namespace impound
