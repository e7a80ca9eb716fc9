// SPDX-License-Identifier: Apache-2.0
/// What is found of a server becomes a descriptor that is read back as it was
/// measured.

#include "core/engine/discovery.hpp"

#include <catch2/catch.hpp>

#include <fstream>

#include "core/base/text.hpp"
#include "core/engine/deployment.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound {
namespace {

ServedFile weights(const std::string& path) {
  ServedFile file;
  file.path = path;
  file.is_weights = true;
  file.pids = {7};
  file.mapped_bytes = 1'000'000;
  return file;
}

FoundServer server() {
  FoundServer found{.pid = 7, .name = "python3"};
  found.listeners = {{"0.0.0.0:8080", 8080}};
  found.model.files = {weights("/srv/models/chat/a.safetensors"),
                       weights("/srv/models/chat/b.safetensors")};
  found.logs = {{.path = "/var/log/chat/a.jsonl",
                 .pid = 7,
                 .descriptor = 3,
                 .first_line = FirstLine::json_object,
                 .timestamp_key = "ts"}};
  return found;
}

Deployment read_back(const std::string& text) {
  const test::TempDir folder;
  const fs::path file = folder.path() / "d.toml";
  std::ofstream(file) << text;
  return load_deployment(file);
}

TEST_CASE("A descriptor that was found is one that the program reads") {
  const Deployment read = read_back(descriptor_of(server(), ""));
  CHECK(read.name == "chat");
  CHECK(read.model_path == "/srv/models/chat");
  REQUIRE(read.logs.size() == 1);
  CHECK(read.logs.front().path == "/var/log/chat/a.jsonl");
  CHECK(read.logs.front().timestamp_key == "ts");
  CHECK(read.process.port == 8080);
  CHECK(read.containment_method == "process");
  REQUIRE(read.probes.size() == 1);
  CHECK(read.probes.front().url == "http://127.0.0.1:8080/");
}

TEST_CASE("Every line of a found descriptor says what it was measured from") {
  const std::string text = descriptor_of(server(), "");
  std::string above;
  for (const std::string& line : split(text, '\n')) {
    const bool is_set = !line.starts_with('#') && !line.starts_with('[') &&
                        line.find('=') != std::string::npos &&
                        !line.starts_with("schema");
    // One comment may stand above the keys of one measurement.
    if (is_set && !line.starts_with("format") && !line.starts_with("url")) {
      INFO(line);
      CHECK(above.starts_with("# "));
    }
    above = line;
  }
  CHECK(text.find("# process 7 listens on 0.0.0.0:8080 (/proc/net/tcp)") !=
        std::string::npos);
  CHECK(text.find("1.00 MB mapped, /proc/PID/smaps") != std::string::npos);
}

TEST_CASE("What was not found is left to a person, and is no claim") {
  FoundServer bare{.pid = 7, .name = "vllm"};
  const std::string text = descriptor_of(bare, "");
  const Deployment read = read_back(text);
  CHECK(read.model_path.empty());
  CHECK(read.logs.empty());
  CHECK(read.process.pid == 7);
  CHECK(read.probes.empty());
  CHECK(text.find("# no weights are open or mapped") != std::string::npos);
}

TEST_CASE("What could not be looked at is not said to be absent") {
  FoundServer hidden{.pid = 7, .name = "vllm"};
  hidden.hidden = {"files and sockets of process 7: Permission denied"};
  const std::string text = descriptor_of(hidden, "");
  for (const char* claim : {"no weights are open", "no file with the name",
                            "it listens on no TCP port"}) {
    INFO(claim);
    CHECK(text.find(claim) == std::string::npos);
  }
  CHECK(text.find("could not be looked at: files and sockets of process "
                  "7: Permission denied") != std::string::npos);
  CHECK(hidden.in_words() == "process 7 (vllm), weights not measured");

  FoundServer unread = server();
  unread.logs.front().first_line = FirstLine::not_read;
  CHECK(descriptor_of(unread, "").find("no JSON object") == std::string::npos);
}

TEST_CASE("Weights of two folders are not said to share one") {
  FoundServer two = server();
  two.model.files.push_back(weights("/srv/models/other/c.safetensors"));
  CHECK(two.model_path().empty());
}

TEST_CASE("Weights in a Hugging Face cache belong to the model of the cache") {
  FoundServer cached = server();
  cached.model.files = {weights("/c/hub/models--org--m/blobs/0a"),
                        weights("/c/hub/models--org--m/blobs/0b")};
  CHECK(cached.model_path() == "/c/hub/models--org--m");
  CHECK(read_back(descriptor_of(cached, "")).name == "org--m");
}

TEST_CASE("A hostile name breaks out of no line of the descriptor") {
  FoundServer hostile = server();
  hostile.name = "x\n[probe]\nurl";
  hostile.model.files = {weights("/srv/a\"\nschema = 2\n#/w.safetensors")};
  hostile.logs.front().timestamp_key = "a\"\nb";
  const Deployment read = read_back(descriptor_of(hostile, ""));
  CHECK(read.model_path == "/srv/a\"\nschema = 2\n#");
  CHECK(read.logs.front().timestamp_key == "a\"\nb");
}

TEST_CASE("A server is known by its program or module, not by what it serves") {
  REQUIRE(find_known_server({"/usr/bin/llama-server", "-m", "x"}) != nullptr);
  CHECK(find_known_server({"/usr/bin/llama-server"})->name == "llama.cpp");
  REQUIRE(find_known_server({"python3", "-m",
                             "vllm.entrypoints.openai.api_server"}) != nullptr);
  CHECK(find_known_server({"python3", "/opt/bin/vllm", "serve"})->name ==
        "vLLM");
  CHECK(find_known_server({"nginx", "-c", "/etc/vllm.conf"}) == nullptr);
  CHECK(find_known_server({"tail", "-f", "/x", "y", "/var/log/ollama"}) ==
        nullptr);
  CHECK(find_known_server({}) == nullptr);
}

}  // namespace
}  // namespace impound
