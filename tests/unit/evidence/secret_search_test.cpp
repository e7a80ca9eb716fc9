// SPDX-License-Identifier: Apache-2.0
/// What is taken for a secret, measured: a table of secrets as they stand in
/// environments and command lines, by class, and a table of what must stay
/// readable. Both rates are printed. No secret here was ever one.

#include "core/evidence/secret_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/text.hpp"
#include "core/evidence/redaction.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {

using namespace std::string_literals;

namespace {

/// `line` is "NAME=value" of an environment, or words of a command line parted
/// by '|'. Of `secret` nothing of four characters may be left.
struct SecretCase {
  const char* kind;
  bool is_command;
  std::string line;
  std::string secret;
};

// Joined, so that no scanner of sources takes this table for a leak.
std::string join(const char* a, const char* b) { return std::string(a) + b; }

const std::string kPem = join("-----BEGIN RSA PRIV", "ATE KEY-----");
const std::string kBody = "MIIEowIBAAKCAQEAxy7Pq2Lm9vT4nBc3RfY6hGd5mSa1QeU0o";
const std::string kHf = join("hf", "_AbCdEfGhIjKlMnOpQrStUvWxYz12345678");
const std::string kGh = join("gh", "p_16C7e42F292c6912E7710c838347Ae178B4a");
const std::string kOpenAi = join("sk", "-proj-T3BlbkFJx9Lq2WmZp4vRtYbN7cKd");
const std::string kAnthropic = join("sk", "-ant-api03-x9Lq2WmZp4vRtYbN7cKdAA");
const std::string kAws = join("AKIA", "IOSFODNN7QXZPLMK");
const std::string kAwsSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ8mPLkKEY";
const std::string kJwt =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpM";
const std::string kSlack = join("xo", "xb-2345678901-abcDEFghi123JKL");
const std::string kStripe = join("sk_l", "ive_4eC39HqLyjWDarjtT1zdp7dc");
const std::string kGoogle = join("AI", "zaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY");
const std::string kGitLab = join("gl", "pat-x9Lq2WmZp4vRtYbN7cKd");
const std::string kRandom = "kJ8x2Lq9ZpW4vT7nBc3RfY6hGd5mSa1QeU0o";

std::vector<SecretCase> secrets() {
  return {
      // names of every kind
      {"password by name", false, "MYSQL_PWD=hunter2", "hunter2"},
      {"password by name", false, "PGPASSWORD=correct horse", "correct horse"},
      {"password by name", false, "DB_PASS=tr0ub4dor", "tr0ub4dor"},
      {"password by name", false, "REDISCLI_AUTH=hunter2hunter", "hunter2"},
      {"password by name", false, "SSHPASS=hunter2", "hunter2"},
      {"password by name", false, "rootpw=hunter2", "hunter2"},
      {"password by name", false, "BORG_PASSPHRASE=a b c hunter2", "hunter2"},
      {"password by name", false, "LDAP_BIND_PW=hunter2", "hunter2"},
      {"password by name", false, "dbPassword=hunter2", "hunter2"},
      {"password by name", false, "ADMIN_PASSWORD=123456", "123456"},
      {"password by name", false, "PASSWORD=/slash/is/allowed", "/slash/is/"},
      {"secret by name", false, "CLIENT_SECRET=abcdefgh", "abcdefgh"},
      {"secret by name", false, "DJANGO_SECRET_KEY=abc#def&ghi", "abc#def&ghi"},
      {"secret by name", false,
       "SECRET_ID=84896a0c-1347-aa90-a4f6-aca8b7558780", "84896a0c-1347"},
      {"api key by name", false, "OPENAI_API_KEY=local-only-key", "local-only"},
      {"api key by name", false,
       "WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567",
       "0123456789abcdef"},
      {"api key by name", false, "APIKEY=abcdefgh", "abcdefgh"},
      {"token by name", false, "GITHUB_TOKEN=abcdefgh", "abcdefgh"},
      {"token by name", false, "VAULT_TOKEN=abcdefgh", "abcdefgh"},
      {"cookie by name", false, "HTTP_COOKIE=sid=abcdefgh; a=b", "abcdefgh"},
      {"session by name", false, "PHPSESSID=0a1b2c3d4e5f6g7h", "0a1b2c3d"},
      // key blocks
      {"key block", false,
       "DEPLOY=" + kPem + "\n" + kBody + "\n" + kBody + "\n" +
           join("-----END RSA PRIV", "ATE KEY-----") + "\n",
       kBody},
      {"key block", false,
       "DEPLOY=" + kPem + "\\n" + kBody + "\\n" +
           join("-----END RSA PRIV", "ATE KEY-----"),
       kBody},
      {"key block", false, "CUT=" + kPem + "\n" + kBody, kBody},
      {"key block", true,
       "deploy|--with|" + join("-----BEGIN OPENSSH PRIV", "ATE KEY-----") +
           "\n" + kBody,
       kBody},
      {"key block", false,
       "SA={\"type\":\"service_account\",\"data\":\"" +
           join("-----BEGIN PRIV", "ATE KEY-----") + "\\n" + kBody + "\\n\"}",
       kBody},
      // webhooks
      {"webhook", false,
       "SLACK_URL=https://hooks.slack.com/services/T0123/B0456/abcDEFghi",
       "T0123/B0456/abcDEFghi"},
      {"webhook", false,
       "ALERTS=https://discord.com/api/webhooks/1234/abcDEF_ghi-jkl",
       "abcDEF_ghi-jkl"},
      {"webhook", false,
       "TG=https://api.telegram.org/bot123456:ABC-DEF1234ghIkl/sendMessage",
       "ABC-DEF1234ghIkl"},
      {"webhook", false,
       "TEAMS=https://acme.webhook.office.com/webhookb2/a1b2@c3d4/"
       "IncomingWebhook/e5f6/x",
       "e5f6/x"},
      {"webhook", false,
       "NOTIFY_WEBHOOK_URL=https://chat.example.org/hooks/abcdefgh",
       "hooks/abcdefgh"},
      // DSNs and URLs
      {"url password", false, "DATABASE_URL=postgres://app:hunter2@db:5432/x",
       "hunter2"},
      {"url password", false, "DATABASE_URL=postgres://app:hun@ter2@db:5432/x",
       "hun@ter2"},
      {"url password", false, "DATABASE_URL=postgres://app:h@un/t@er2@db/x",
       "h@un/t@er2"},
      {"url password", false, "DATABASE_URL=mysql://app:hun/ter2@db/x",
       "hun/ter2"},
      {"url password", false, "REDIS_URL=redis://:hunter2@cache:6379/0",
       "hunter2"},
      {"url password", false, "BROKER=amqp://me:hunter2@mq//", "hunter2"},
      {"url password", false, "MONGO=mongodb+srv://me:hunter2@a,b,c/x?w=1",
       "hunter2"},
      {"url password", true, "curl|https://me:hunter2@example.org/x",
       "hunter2"},
      {"url password", false, "HTTPS_PROXY=me:hunter2@proxy:3128", "hunter2"},
      {"url token", false, "REMOTE=https://" + kGh + "@github.com/a/b.git",
       kGh},
      {"url token", false,
       "SENTRY=https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/2",
       "0123456789abcdef"},
      {"dsn of a driver", false, "GO=app:hunter2@tcp(db:3306)/x?parseTime=true",
       "hunter2"},
      {"dsn of a driver", false, "DB=host=db password= hunter2 dbname=x",
       "hunter2"},
      {"dsn of a driver", false,
       "DB=host=db user=app password=hunter2 dbname=x", "hunter2"},
      {"dsn of a driver", false, "DB=host=db password='hunter2 x' dbname=x",
       "hunter2 x"},
      {"dsn of a driver", false,
       "DB=Server=db;User Id=app;Password=hunter2;Encrypt=true", "hunter2"},
      {"dsn of a driver", false, "DB=Driver=x;UID=sa;PWD=hunter2;", "hunter2"},
      {"dsn of a driver", false, "DB=jdbc:oracle:thin:app/hunter2@db:1521:x",
       "hunter2"},
      {"dsn of a driver", false,
       "DB=jdbc:mysql://db/x?user=app&password=hunter2&ssl=true", "hunter2"},
      {"azure connection", false,
       "AZ=DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + kRandom +
           "==;EndpointSuffix=x",
       kRandom},
      {"query", true, "x|http://h/?a=1&access_token=hunter2&b=2", "hunter2"},
      {"query", true, "x|https://h/b?sv=2021&sig=abc%2Bdef%3D&se=1",
       "abc%2Bdef%3D"},
      {"query", true,
       "x|https://s3/x?X-Amz-Signature=0123456789abcdef&X-Amz-Date=1",
       "0123456789abcdef"},
      // inside a value
      {"option in a value", false, "OPTS=--host db --password=hunter2 --tls",
       "hunter2"},
      {"option in a value", false, "OPTS=--host db --password hunter2 --tls",
       "hunter2"},
      {"option in a value", false,
       "JAVA_OPTS=-Xmx1g -Djavax.net.ssl.keyStorePassword=changeit -Dx=y",
       "changeit"},
      {"option in a value", true, "bash|-c|mysql -u root -phunter2 db <x.sql",
       "hunter2"},
      {"option in a value", true, "bash|-c|sshpass -p 'hunter2 x' ssh h",
       "hunter2 x"},
      {"option in a value", true, "sh|-c|export TOKEN=hunter2; exec serve",
       "hunter2"},
      {"option in a value", true,
       "sh|-c|curl -H \"Authorization: Bearer hunter2hunter2\" https://h",
       "hunter2hunter2"},
      {"json", false, R"(CFG={"user":"a","password":"hunter2","n":1})",
       "hunter2"},
      {"json", false, R"(CFG={"a":{"api_key" : "hunter2"},"b":[1]})",
       "hunter2"},
      {"json", false, R"(CFG={"password":"hun\"ter2","n":1})", R"(hun\"ter2)"},
      {"json", true, R"(x|--config|{"tokens":["hunter2","hunter3"],"n":1})",
       "hunter2"},
      {"json", false, R"(CFG="{\"password\":\"hunter2\",\"n\":1}")", "hunter2"},
      {"json", false,
       R"(DOCKER_AUTH_CONFIG={"auths":{"r":{"auth":"dXNlcjpwYXNz"}}})",
       "dXNlcjpwYXNz"},
      {"yaml and xml", false, "CFG=user: a\npassword: hunter2 x9\nport: 1\n",
       "hunter2"},
      {"yaml and xml", false,
       "CFG=<c><user>a</user><password>hunter2</password></c>", "hunter2"},
      {"yaml and xml", false, "NET=machine h login me password hunter2",
       "hunter2"},
      // options
      {"long option", true, "serve|--api-key|hunter2", "hunter2"},
      {"long option", true, "serve|--api-key|-secret", "-secret"},
      {"long option", true, "serve|--token=hunter2", "hunter2"},
      {"long option", true, "serve|--set|auth.password=hunter2", "hunter2"},
      {"long option", true, "serve|--set=auth.password=hunter2", "hunter2"},
      {"long option", true, "docker|run|-e|MYSQL_ROOT_PASSWORD=hunter2|x",
       "hunter2"},
      {"short option", true, "mysql|-u|root|-phunter2", "hunter2"},
      {"short option", true, "mysql|-p|hunter2", "hunter2"},
      {"short option", true, "/usr/bin/sshpass|-p|hunter|ssh|h", "hunter"},
      {"short option", true, "tool|-p|SECRET", "SECRET"},
      {"short option", true, "tool|-p|s3cr3t-word", "s3cr3t"},
      {"short option", true, "redis-cli|-a|hunter2|ping", "hunter2"},
      {"short option", true, "curl|-u|me:hunter2|https://h", "hunter2"},
      {"short option", true, "sudo|curl|-ume:hunter2|https://h", "hunter2"},
      {"short option", true, "smbclient|-U|me%hunter2|//h/x", "hunter2"},
      {"short option", true, "ldapsearch|-w|hunter2", "hunter2"},
      // headers
      {"header", true, "curl|-H|Authorization: Bearer hunter2", "hunter2"},
      {"header", true, "curl|-H|X-Api-Key: hunter2", "hunter2"},
      {"header", true, "curl|-H|Cookie: sid=hunter2; x=y", "hunter2"},
      {"basic credential", false, "H=Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50"},
      {"bearer", false, "H=bearer abcd1234efgh", "abcd1234"},
      // known tokens under names that say nothing
      {"token of Hugging Face", false, "X=" + kHf, kHf},
      {"token of GitHub", false, "X=a," + kGh + ",b", kGh},
      {"token of OpenAI", false, "X=" + kOpenAi, kOpenAi},
      {"token of Anthropic", true, "x|" + kAnthropic, kAnthropic},
      {"key of AWS", false, "X=" + kAws, kAws},
      {"key of AWS", false, "AWS_ACCESS_KEY_ID=" + kAws, kAws},
      {"secret key of AWS", false, "AWS_SECRET_ACCESS_KEY=" + kAwsSecret,
       kAwsSecret},
      {"secret key of AWS", false, "X=" + kAwsSecret, kAwsSecret},
      {"token of Slack", false, "X=" + kSlack, kSlack},
      {"key of Stripe", false, "X=" + kStripe, kStripe},
      {"key of Google", false, "X=" + kGoogle, kGoogle},
      {"token of GitLab", false, "X=" + kGitLab, kGitLab},
      {"token of Vault", false,
       "X=" + join("hv", "s.CAESIJx9Lq2WmZp4vRtYbN7cKd"), "CAESIJx9Lq2WmZ"},
      {"JSON Web Token", false, "X=" + kJwt, kJwt},
      {"JSON Web Token", true, "x|--jwt-of|" + kJwt, kJwt},
      // chance
      {"random run", false, "X=" + kRandom, kRandom},
      {"random run", false, "X=a." + kRandom + ".b", kRandom},
      {"random run", false,
       "X=Zk3v9QpL2mXw8RtY4nBc7A==", "Zk3v9QpL2mXw8RtY4nBc7A"},
      {"random password", false, "X=xK9#mP$2vL@qR5!nW8", "xK9#mP$2vL"},
      {"random password", false, "LOGIN=Qw3rty!!Uiop99", "Qw3rty!!Uiop99"},
  };
}

/// Entries of environments, and command lines behind "|", of servers of models,
/// build machines and desktops.
const std::vector<std::string>& benign() {
  static const std::vector<std::string> kBenign{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/conda/bin",
      "PWD=/srv/models/meta-llama/Meta-Llama-3-8B-Instruct",
      "OLDPWD=/home/me",
      "HOME=/home/me",
      "USER=me",
      "LANG=en_US.UTF-8",
      "TERM=xterm-256color",
      "SHLVL=1",
      "HOSTNAME=gpu-node-07.rack12.example.org",
      "SSH_AUTH_SOCK=/run/user/1000/keyring/ssh",
      "SSH_CONNECTION=10.0.0.5 51234 10.0.0.9 22",
      "SSH_ASKPASS=/usr/lib/ssh/ssh-askpass",
      "GIT_ASKPASS=echo",
      "XAUTHORITY=/run/user/1000/.mutter-Xwaylandauth.ABCDE1",
      "XDG_SESSION_ID=c2",
      "XDG_RUNTIME_DIR=/run/user/1000",
      "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
      "GPG_AGENT_INFO=/run/user/1000/gnupg/S.gpg-agent:0:1",
      "KEYBOARD_LAYOUT=de",
      "GIT_AUTHOR_NAME=Ada Example",
      "GIT_AUTHOR_EMAIL=ada@example.org",
      "LS_COLORS=rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35:*.tar=01;31",
      "PS1=\\[\\e]0;\\u@\\h: "
      "\\w\\a\\]${debian_chroot:+($debian_chroot)}\\u@\\h:\\w\\$ ",
      "LESSOPEN=| /usr/bin/lesspipe %s",
      "BASH_FUNC_which%%=() {  ( alias; eval ${which_declare} ) | "
      "/usr/bin/which $@\n}",
      "CUDA_VISIBLE_DEVICES=0,1,2,3",
      "NVIDIA_VISIBLE_DEVICES=GPU-3f1c2a9e-8b7d-4c6e-9a5b-1d2e3f4a5b6c",
      "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471",
      "NV_LIBCUBLAS_VERSION=12.4.5.8-1",
      "NCCL_VERSION=2.21.5-1+cuda12.4",
      "HF_HOME=/data/hf",
      "HF_HUB_DISABLE_IMPLICIT_TOKEN=1",
      "HF_TOKEN_PATH=/run/secrets/hf_token",
      "TOKENIZERS_PARALLELISM=false",
      "TRANSFORMERS_CACHE=/data/hf/hub/"
      "models--meta-llama--Meta-Llama-3-8B-Instruct",
      "VLLM_MAX_TOKENS=4096",
      "MAX_NEW_TOKENS=512",
      "PAD_TOKEN=<pad>",
      "EOS_TOKEN_ID=2",
      "TOKEN_LIMIT=8192",
      "TOKEN_TTL_SECONDS=3600",
      "NUM_KEY_VALUE_HEADS=8",
      "KEY_LENGTH=2048",
      "AUTH_ENABLED=true",
      "AUTH_TYPE=oauth2",
      "AUTH_METHOD=none",
      "KEYCLOAK_URL=https://login.example.org/realms/x",
      "TOKEN_ENDPOINT=https://login.example.org/oauth/token",
      "COOKIE_DOMAIN=example.org",
      "PASSWORD_FILE=/run/secrets/db_password",
      "PGPASSFILE=/home/me/.pgpass",
      "MYSQL_ROOT_PASSWORD_FILE=/run/secrets/mysql",
      "GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/service-account.json",
      "AWS_SHARED_CREDENTIALS_FILE=/home/me/.aws/credentials",
      "AWS_DEFAULT_REGION=eu-central-1",
      "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
      "TLS_KEY=/etc/ssl/private/server.key",
      "DB_PASSWORD=${POSTGRES_PASSWORD}",
      "IMAGE=registry.example.org:5000/vllm/"
      "vllm-openai:v0.6.3@sha256:"
      "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      "GIT_COMMIT=0123456789abcdef0123456789abcdef01234567",
      "MODEL_SHA256="
      "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      "BUILD_ID=3f1c2a9e-8b7d-4c6e-9a5b-1d2e3f4a5b6c",
      "INTEGRITY=sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/"
      "uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
      "HOSTKEY_FINGERPRINT=SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDpPJFmwXBsQwmHGXQ",
      "SSH_PUBLIC_KEY=ssh-ed25519 "
      "AAAAC3NzaC1lZDI1NTE5AAAAIx9Lq2WmZp4vRtYbN7cKdZk3v9QpL2mXw8RtY4nBc "
      "me@host",
      "CA=-----BEGIN "
      "CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n----"
      "-END CERTIFICATE-----\n",
      "KUBERNETES_SERVICE_HOST=10.96.0.1",
      "KUBERNETES_PORT=tcp://10.96.0.1:443",
      "POD_NAME=vllm-7d9f8c6b5d-x2k9q",
      "POD_UID=3f1c2a9e-8b7d-4c6e-9a5b-1d2e3f4a5b6c",
      "PYTHONPATH=/opt/app:/opt/venv/lib/python3.11/site-packages",
      "PYTHON_SHA256="
      "07fb4f1e8a9c4b5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5",
      "CONDA_PROMPT_MODIFIER=(base) ",
      "CMAKE_ARGS=-DLLAMA_CUBLAS=on -DCMAKE_CUDA_ARCHITECTURES=80;86;90",
      "JAVA_OPTS=-Xms512m -Xmx4g -XX:+UseG1GC -Djava.io.tmpdir=/tmp",
      "TRUSTSTORE=-Djavax.net.ssl.trustStore=/etc/ssl/trust.jks",
      "DATABASE_URL=postgres://app@db.example.org:5432/prod",
      "REDIS_URL=redis://cache:6379/0",
      "REPO=git@github.com:example/serving.git",
      "NPM=https://registry.npmjs.org/@scope/package/-/package-1.2.3.tgz",
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector.observability:4317",
      "NO_PROXY=localhost,127.0.0.1,.svc,.cluster.local,10.0.0.0/8",
      "INVOCATION_ID=4f8f0b6c0d9e4c8f9a7b6c5d4e3f2a1b",
      "JOURNAL_STREAM=8:12345678",
      "WT_SESSION=3f1c2a9e-8b7d-4c6e-9a5b-1d2e3f4a5b6c",
      "COMPASS_MODE=east",
      "BYPASS_CACHE=1",
      "MONKEY_PATCH=gevent",
      "DATE=2026-11-27T10:00:00.123456Z",
      "CFG={\"pad_token\": \"<pad>\", \"eos_token_id\": 2, "
      "\"num_key_value_heads\": 8, \"max_tokens\": 64}",
      "|python3|-m|vllm.entrypoints.openai.api_server|--model|/srv/models/"
      "models--meta-llama--Meta-Llama-3-8B-Instruct/snapshots/"
      "0123456789abcdef0123456789abcdef01234567",
      "|serve|--tokenizer|acme/"
      "toy|--max-num-batched-tokens|8192|--max-tokens=4096|--skip-tokenizer-"
      "init",
      "|serve|--ssl-keyfile|/etc/ssl/server.key|--ssl-certfile|/etc/ssl/"
      "server.crt|--port|8000",
      "|docker|run|-p|8080:80|-p|127.0.0.1:9000:9000/tcp|-v|/srv:/"
      "srv|--gpus|all|vllm:v1",
      "|ssh|-p|2222|me@host",
      "|mkdir|-p|/srv/models/x",
      "|kubectl|-n|prod|get|pods|-l|app=vllm,tier=serving|-o|wide",
      "|impound|run|weights-tampering|-p|known_good=/srv/known",
      "|tool|-p|prod|-v",
      "|llama-server|-m|Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf|-c|8192|-ngl|99",
      "|python3|train.py|--lr=2e-5|--run-name=Llama3_8B_SFT_v2_lr2e5_bs64_ep3",
      "|torchrun|--nproc_per_node=8|--rdzv_endpoint=node-01.example.org:29500|"
      "train.py",
      "|curl|-u|me|https://example.org/x",
      "|git|clone|https://github.com/example/serving.git",
      "|/usr/lib/jvm/java-17-openjdk-amd64/bin/java|-cp|/opt/app/lib/"
      "guava-33.0.0-jre.jar:/opt/app/lib/netty-all-4.1.107.Final.jar",
      "|bash|-c|set -e; mkdir -p /tmp/x && exec uvicorn app:main --host "
      "0.0.0.0 --port 8000",
  };
  return kBenign;
}

std::string redacted(bool is_command, const std::string& line) {
  Redactor redactor;
  if (!is_command) return redactor.environment(line, "x");
  std::string all;
  for (const std::string& word : redactor.arguments(split(line, '|'), "x")) {
    all += (all.empty() ? "" : "|") + word;
  }
  return all;
}

/// The commitments are hexadecimal and may hold anything of four characters.
std::string without_commitments(std::string text) {
  for (std::size_t at = text.find("[redacted "); at != text.npos;
       at = text.find("[redacted ")) {
    text.replace(at, text.find(']', at) + 1 - at, "\x01");
  }
  return text;
}

bool leaks(const std::string& shown, const std::string& secret) {
  const std::string text = without_commitments(shown);
  for (std::size_t at = 0; at + 4 <= secret.size(); ++at) {
    if (text.find(secret.substr(at, 4)) != text.npos) return true;
  }
  return false;
}

TEST_CASE("of secrets of every class nothing is left to read",
          "[evidence][redaction]") {
  std::map<std::string, int> kinds;
  int caught = 0;
  for (const SecretCase& one : secrets()) {
    const std::string shown = redacted(one.is_command, one.line);
    INFO(one.kind << ": " << one.line << "\n  shown as " << shown);
    const bool left = leaks(shown, one.secret);
    CHECK_FALSE(left);
    ++kinds[one.kind];
    caught += left ? 0 : 1;
  }
  const auto total = static_cast<int>(secrets().size());
  WARN(fmt::format("secrets replaced: {} of {} in {} classes", caught, total,
                   kinds.size()));
  CHECK(total >= 60);
  CHECK(kinds.size() >= 20);
}

TEST_CASE("what is no secret stays readable", "[evidence][redaction]") {
  int kept = 0;
  for (const std::string& line : benign()) {
    const bool is_command = line.starts_with('|');
    const std::string plain = is_command ? line.substr(1) : line;
    const std::string shown = redacted(is_command, plain);
    INFO(plain << "\n  shown as " << shown);
    CHECK(shown == plain);
    kept += shown == plain ? 1 : 0;
  }
  WARN(fmt::format("harmless values kept readable: {} of {}", kept,
                   benign().size()));
  CHECK(benign().size() >= 60);
}

/// Each secret again behind, before and between others: what is found does not
/// depend on where it stands.
TEST_CASE("a secret is found wherever it stands", "[evidence][redaction]") {
  for (const SecretCase& one : secrets()) {
    if (one.is_command) continue;
    const std::string value = one.line.substr(one.line.find('=') + 1);
    const std::string alone = redacted(false, one.line);
    for (const std::string& prefix :
         {std::string(4093, 'x') + "\0"s, std::string(4096, 'y') + "\0"s,
          "A=b\0C=d\0"s}) {
      const std::string shown = redacted(false, prefix + one.line + "\0E=f"s);
      INFO(one.line);
      CHECK(shown.starts_with(prefix));
      CHECK(shown.ends_with("\0E=f"s));
      CHECK_FALSE(leaks(shown, one.secret));
    }
  }
}

TEST_CASE("random keys are told from names of things by the order of classes",
          "[evidence][redaction]") {
  // A small generator of our own: the test is the same everywhere.
  std::uint64_t state = 0x9e3779b97f4a7c15;
  const auto next = [&state] {
    state ^= state << 13U, state ^= state >> 7U, state ^= state << 17U;
    return state;
  };
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  int found = 0;
  constexpr int kKeys = 2000;
  for (int i = 0; i < kKeys; ++i) {
    std::string key;
    for (int k = 0; k < 32; ++k) key += kAlphabet[next() % kAlphabet.size()];
    found += find_secrets("X " + key).empty() ? 0 : 1;
  }
  int digests = 0;
  for (int i = 0; i < kKeys; ++i) {
    std::string digest;
    for (int k = 0; k < 64; ++k) digest += "0123456789abcdef"[next() % 16];
    digests += find_secrets("X " + digest).empty() ? 0 : 1;
  }
  WARN(
      fmt::format("keys of 32 random characters found: {} of {}; digests "
                  "taken for keys: {} of {}",
                  found, kKeys, digests, kKeys));
  CHECK(found > kKeys * 95 / 100);
  CHECK(digests == 0);
}

TEST_CASE("hostile text is searched in linear time", "[evidence][hostile]") {
  const auto repeat = [](std::string_view piece) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    return text;
  };
  for (const char* piece :
       {"key:[",       "a=",          "://",        "a:@",
        "key=;a",      "password",    "\"key\":\"", "eyJ.",
        "-----BEGIN ", "-p ",         "a/",         "basic ",
        "=\\\"",       "'",           "sk-",        "key: key: ",
        "://a:/@",     "--password ", "a:@tcp(",    "token=,a "}) {
    // Seconds are not compared: a search of quadratic work, some 10^12 steps
    // a piece, does not end within the time CTest gives to the whole program.
    const auto found = find_secrets(repeat(piece));
    INFO(piece << ": " << found.size() << " found");
    std::size_t end = 0;
    for (const SecretSpan& one : found) {
      if (one.begin < end || one.length == 0) FAIL("spans overlap");
      end = one.begin + one.length;
    }
    CHECK(end <= repeat(piece).size());
  }
}

TEST_CASE("a redactor says what was looked into, and what was not",
          "[evidence][redaction]") {
  Redactor redactor;
  static_cast<void>(redactor.environment("A=b\0MYSQL_PWD=x1\0C=d\0"s, "e"));
  static_cast<void>(redactor.arguments({"serve", "--token=hunter2"}, "c"));
  const std::vector<std::string_view> others{"contents of files"};
  const Json record = redactor.record(others);
  CHECK(record.at("looked_into").at("environment_variables") == 3);
  CHECK(record.at("looked_into").at("arguments") == 2);
  CHECK(record.at("not_looked_into") == Json{"contents of files"});
  CHECK(record.at("replaced").size() == 2);
  CHECK(redaction_sentence(redactor.summary(others)) ==
        "secrets replaced: 2; looked into: 3 environment variables, 2 "
        "arguments; not looked into: contents of files");
  CHECK(redaction_sentence(Json::object()) ==
        "secrets replaced: unknown; looked into: an unknown number of "
        "environment variables, an unknown number of arguments");
}

}  // namespace
}  // namespace impound::test
