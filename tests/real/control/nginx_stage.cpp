// SPDX-License-Identifier: Apache-2.0
/// nginx in front of a served model.

#include <fstream>
#include <sstream>

#include "tests/real/control/network.hpp"
#include "tests/real/control/stages.hpp"

namespace impound::test {
namespace {

class NginxStage final : public Stage {
 public:
  explicit NginxStage(std::string program)
      : Stage("nginx"), program_(std::move(program)) {
    const std::uint16_t behind = start_model();
    name_port(free_port());
    fs::create_directories(temp.path() / "conf.d");
    std::ofstream(temp.path() / "nginx.conf")
        << "worker_processes 2;\npid " << file("nginx.pid") << ";\nerror_log "
        << file("error.log") << ";\nevents {}\nhttp {\n  access_log off;\n"
        << "  client_body_temp_path " << file("body") << ";\n  proxy_temp_path "
        << file("proxy") << ";\n  fastcgi_temp_path " << file("f")
        << ";\n  uwsgi_temp_path " << file("u") << ";\n  scgi_temp_path "
        << file("s") << ";\n  include conf.d/*.conf;\n}\n";
    std::ofstream(file("conf.d/model.conf"))
        << "# server { in a comment }\nserver { # the model\n  listen "
           "127.0.0.1:"
        << port_
        << ";\n  server_name model;\n  location / {\n    proxy_pass "
           "http://127.0.0.1:"
        << behind
        << ";\n    proxy_buffering off;\n    proxy_set_header X \"} ; {\";\n"
           "  }\n}\n";
    start();
    deployment.containments.front().settings = {
        {"config", file("conf.d/model.conf")},
        {"server_names", {"model"}},
        {"pid_file", file("nginx.pid")}};
  }

  void restart() override {
    proxy_.reset();
    fs::remove(file("nginx.pid"));
    start();
  }

  std::vector<Refusal> refusals() override {
    return {{"refused: missing pid file",
             [this](Deployment& one) {
               one.containments.front().settings["pid_file"] = file("no.pid");
             },
             "nginx is not running"},
            {"refused: missing file",
             [this](Deployment& one) {
               one.containments.front().settings["config"] = file("no.conf");
             },
             "cannot read"},
            {"refused: wrong name",
             [](Deployment& one) {
               one.containments.front().settings["server_names"] = {"other"};
             },
             "has no server block named other; there is: model"},
            {"refused: wrong state",
             [this](Deployment& one) {
               std::ofstream(file("broken.conf")) << "events { nonsense; }\n";
               one.containments.front().settings["main"] = file("broken.conf");
             },
             "nonsense"}};
  }

 private:
  [[nodiscard]] std::string file(const std::string& name) const {
    return (temp.path() / name).native();
  }

  void start() {
    proxy_ = std::make_unique<Part>(
        std::vector<std::string>{program_, "-p", temp.path().native(), "-c",
                                 file("nginx.conf"), "-g", "daemon off;"},
        temp.path() / "nginx.log");
    static_cast<void>(wait_until([this] {
      return fs::exists(file("nginx.pid")) &&
             connect_from("", "127.0.0.1", port_).get() >= 0;
    }));
  }

  std::string program_;
  std::unique_ptr<Part> proxy_;
};

}  // namespace

std::unique_ptr<Stage> make_nginx_stage() {
  const auto program = installed("nginx");
  if (!program) return nullptr;
  return std::make_unique<NginxStage>(*program);
}

}  // namespace impound::test
