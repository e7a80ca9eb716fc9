// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/redaction.hpp"

#include "core/crypto/digest.hpp"
#include "tests/support/catch.hpp"

using namespace impound;

namespace {

const std::string kToken = "hf_" + std::string("AbCdEfGhIjKlMnOpQrStUv");

std::string commitment(std::string_view salt, std::string_view value) {
  return sha256(std::string(salt) + std::string(value)).hex();
}

}  // namespace

TEST_CASE("secrets in an environment become salted commitments") {
  Redactor redactor(copy_bytes("salt"));
  using namespace std::string_literals;
  const std::string out = redactor.environment(
      "PATH=/usr/bin\0API_KEY=s3cret\0HF="s + kToken + "\0EMPTY_TOKEN=\0"s,
      "/proc/7/environ");
  CHECK(out == "PATH=/usr/bin\0API_KEY=[redacted name sha256:"s +
                   commitment("salt", "s3cret") +
                   "]\0HF=[redacted token sha256:"s +
                   commitment("salt", kToken) + "]\0EMPTY_TOKEN=\0"s);
  const Json record = redactor.record({});
  CHECK(record.at("replaced").size() == 2);
  CHECK(record.at("salt") == to_hex(as_bytes("salt")));
  CHECK(record.dump().find("s3cret") == std::string::npos);
}

TEST_CASE("what follows Basic is a secret if it is a name and a password") {
  Redactor redactor;
  const auto kept = [&](const std::string& encoded) {
    const std::string line = "HEADER=Authorization is Basic " + encoded;
    return redactor.environment(line, "/proc/7/environ") == line;
  };
  CHECK_FALSE(kept("dXNlcjpwYXNz"));  // user:pass
  CHECK(kept("dXNlcnBhc3M="));        // userpass
}

TEST_CASE("secrets in command lines are found in every usual form") {
  Redactor redactor;
  const std::vector<std::string> words{"server",
                                       "--api-key",
                                       "hunter2",
                                       "--token=hunter2",
                                       "-H",
                                       "Authorization: Bearer hunter2",
                                       "postgres://u:hunter2@db/x",
                                       "http://x/?a=1&access_token=hunter2&b=2",
                                       "PASSWORD=hunter2",
                                       "--header",
                                       "X-Key: hunter2"};
  std::string all;
  for (const std::string& word : redactor.arguments(words, "x")) all += word;
  INFO(all);
  CHECK(all.find("hunter2") == std::string::npos);
  CHECK(all.find("&b=2") != std::string::npos);
  CHECK(all.find("postgres://u:") != std::string::npos);
  CHECK(redactor.count() == 7);
}

TEST_CASE("settings of a model stay readable") {
  Redactor redactor;
  const std::vector<std::string> words{
      "python3",
      "-m",
      "vllm.entrypoints.openai.api_server",
      "--model",
      "/srv/models/models--meta-llama--Meta-Llama-3-8B-Instruct",
      "--tokenizer",
      "acme/toy",
      "--max-num-batched-tokens",
      "8192",
      "--revision",
      "0123456789abcdef0123456789abcdef01234567",
      "--max-tokens=4096",
      "http://127.0.0.1:8080/v1?x=1",
      "sha256:"
      "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
  CHECK(redactor.arguments(words, "x") == words);
  CHECK(redactor.count() == 0);
}

TEST_CASE("known and random tokens are found in the middle of text") {
  const auto rule_of = [](const std::string& text) {
    const auto found = find_secrets(text);
    return found.empty() ? std::string()
                         : std::string(to_string(found.front().rule));
  };
  CHECK(rule_of("x sk-abcdefghijklmnop1234 y") == "token");
  CHECK(rule_of("AKIAABCDEFGHIJKLMNOP") == "token");
  CHECK(rule_of("a=ghp_abcdefghijklmnopqrst") == "token");
  CHECK(rule_of("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl") ==
        "token");
  CHECK(rule_of("kJ8x2Lq9ZpW4vT7nBc3RfY6hGd5mSa1QeU0o") == "entropy");
  CHECK(rule_of("risk-management-and-compliance") == "");
  CHECK(rule_of("sk-") == "");
  CHECK(rule_of("://") == "");
  CHECK(rule_of("?") == "");
}
