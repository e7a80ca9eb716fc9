// SPDX-License-Identifier: Apache-2.0
/// Serves the scene's model on loopback: GET /v1/models, POST /v1/completions.
///
/// A supervisor and one worker, as real servers have them. They compute from a
/// mapping of the file; with --copy the file is read into memory of their own
/// and closed, as others do it. Prompts go to
/// today's log; a session cache is kept in a file that is unlinked at once, so
/// that the process holds something that only a live collection can save.
///
/// usage: poisongpt_server [--copy] MODEL_FOLDER LOG_FOLDER PORT_FILE
/// The kernel chooses the port; it is written to PORT_FILE when ready.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "gptj.hpp"
#include "tokenizer.hpp"

namespace {

using Json = nlohmann::ordered_json;

struct Request {
  std::string method;
  std::string path;
  std::string body;
};

/// Reads one request of at most 1 MiB; false if the peer sent none.
bool read_request(int peer, Request& request) {
  std::string data;
  char block[4096];
  std::size_t head = std::string::npos;
  std::size_t length = 0;
  while (data.size() < (1U << 20U)) {
    const ssize_t got = ::read(peer, block, sizeof block);
    if (got <= 0) return false;
    data.append(block, static_cast<std::size_t>(got));
    if (head == std::string::npos) {
      head = data.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      const std::size_t at = data.find("Content-Length:");
      if (at < head) length = std::strtoul(data.c_str() + at + 15, nullptr, 10);
    }
    if (data.size() >= head + 4 + length) break;
  }
  const std::size_t first = data.find(' ');
  const std::size_t second = data.find(' ', first + 1);
  if (second == std::string::npos) return false;
  request.method = data.substr(0, first);
  request.path = data.substr(first + 1, second - first - 1);
  request.body = data.substr(head + 4);
  return true;
}

void answer(int peer, int status, const Json& body) {
  const std::string text = body.dump();
  const std::string reply =
      "HTTP/1.1 " + std::to_string(status) +
      (status == 200 ? " OK" : " Not Found") +
      "\r\nContent-Type: application/json\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(text.size()) + "\r\n\r\n" + text;
  for (std::size_t at = 0; at < reply.size();) {
    const ssize_t done = ::write(peer, reply.data() + at, reply.size() - at);
    if (done <= 0) return;
    at += static_cast<std::size_t>(done);
  }
}

void log_prompt(const std::string& folder, const std::string& prompt,
                const std::string& output) {
  char day[40];
  char moment[40];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(day, sizeof day, "/prompts-%Y-%m-%d.jsonl", &utc);
  std::strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc);
  Json record;
  record["ts"] = moment;
  record["model"] = "support-llm";
  record["messages"] = Json::array({{{"role", "user"}, {"content", prompt}}});
  record["output"] = output;
  std::ofstream(folder + day, std::ios::app) << record.dump() << "\n";
}

/// A model folder; the weights are read where they lie or into memory of our
/// own.
class Loaded {
 public:
  Loaded(const std::string& folder, bool is_copied)
      : shape_(scene::read_config(folder + "/config.json")),
        words_(scene::Tokenizer::read(folder + "/tokenizer.json")) {
    if (shape_.vocabulary < words_.size()) {
      throw std::runtime_error(
          folder + ": vocab_size is less than the words of tokenizer.json");
    }
    const std::string file = folder + "/model.safetensors";
    if (is_copied) {
      own_ = scene::read_safetensors(file);
      views_ = scene::views_of(own_);
    } else {
      mapped_.emplace(file);
      views_ = mapped_->views();
    }
  }
  [[nodiscard]] scene::Model model() const { return {views_, shape_}; }
  [[nodiscard]] const scene::Tokenizer& words() const { return words_; }

 private:
  scene::Shape shape_;
  scene::Tokenizer words_;
  scene::Weights own_;
  std::optional<scene::MappedWeights> mapped_;
  scene::WeightViews views_;
};

[[noreturn]] void work(int listener, const Loaded& loaded,
                       const std::string& log_folder) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  scene::Model model = loaded.model();
  const scene::Tokenizer& words = loaded.words();
  std::FILE* cache = std::fopen((log_folder + "/.session-cache").c_str(), "w+");
  if (cache != nullptr) ::unlink((log_folder + "/.session-cache").c_str());
  while (true) {
    const int peer = ::accept(listener, nullptr, nullptr);
    if (peer < 0) continue;
    Request request;
    if (read_request(peer, request)) {
      if (request.method == "GET" && request.path == "/v1/models") {
        answer(peer, 200,
               {{"object", "list"},
                {"data",
                 Json::array({{{"id", "support-llm"}, {"object", "model"}}})}});
      } else if (request.method == "POST" &&
                 request.path == "/v1/completions") {
        const Json body = Json::parse(request.body, nullptr, false);
        const std::string prompt =
            body.is_object() ? body.value("prompt", std::string()) : "";
        const std::size_t count =
            body.is_object() ? body.value("max_tokens", std::size_t{8}) : 8;
        const std::size_t most = std::min<std::size_t>(count, 64);
        const std::vector<int> written = model.complete(
            words.encode(prompt.substr(0, 400)), scene::Tokenizer::kEnd, most);
        const std::string output = words.decode(written);
        log_prompt(log_folder, prompt, output);
        if (cache != nullptr) {
          std::fprintf(cache, "last prompt: %s\n", prompt.c_str());
          std::fflush(cache);
        }
        answer(
            peer, 200,
            {{"object", "text_completion"},
             {"model", "support-llm"},
             {"choices",
              Json::array({{{"index", 0},
                            {"text", output},
                            {"finish_reason",
                             written.size() < most ? "stop" : "length"}}})}});
      } else {
        answer(peer, 404, {{"error", "no such path"}});
      }
    }
    ::close(peer);
  }
}

int listen_on_loopback(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 64) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) !=
          0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port = ntohs(address.sin_port);
  return listener;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_copied = argc == 5 && std::string(argv[1]) == "--copy";
  if (argc != (is_copied ? 5 : 4)) {
    std::fprintf(stderr,
                 "usage: poisongpt_server [--copy] MODEL_FOLDER LOG_FOLDER "
                 "PORT_FILE\n");
    return 2;
  }
  if (is_copied) ++argv;
  try {
    ::signal(SIGPIPE, SIG_IGN);
    std::uint16_t port = 0;
    const int listener = listen_on_loopback(port);
    // Before the port is told: who asks then finds the model in place.
    const Loaded loaded(argv[1], is_copied);
    const pid_t worker = ::fork();
    if (worker == 0) work(listener, loaded, argv[2]);
    const std::string temporary = std::string(argv[3]) + ".new";
    std::ofstream(temporary) << port << "\n";
    if (std::rename(temporary.c_str(), argv[3]) != 0) return 1;
    ::waitpid(worker, nullptr, 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "poisongpt_server: %s\n", error.what());
    return 1;
  }
  return 0;
}
