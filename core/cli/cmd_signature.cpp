// SPDX-License-Identifier: Apache-2.0
/// impound signature: who signed a model, and whether it is still what was
/// signed (OpenSSF Model Signing).

#include <fmt/format.h>

#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/looking.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/model_signatures.hpp"
#include "core/trust/model_signer.hpp"

namespace impound {
namespace {

constexpr const char* kPassphraseVariable = "IMPOUND_SIGNING_PASSPHRASE";

struct SignOptions {
  SignModelRequest request;
  std::string method = "files";
  std::string hash = "sha256";
  std::string key;
  std::string passphrase_file;
  bool replace = false;
};

ExitCode exit_code_of(SignatureVerdict verdict) {
  switch (verdict) {
    case SignatureVerdict::verified:
      return ExitCode::clean;
    case SignatureVerdict::findings:
      return ExitCode::findings;
    case SignatureVerdict::unreadable:
      return ExitCode::failed;
    case SignatureVerdict::failed:
      return ExitCode::tampered;
  }
  return ExitCode::failed;
}

ExitCode show_report(const Globals& globals, const SignatureReport& report,
                     const LookRecord& recording = {}) {
  if (globals.json) {
    Json document = report.to_json();
    recording.add_to(document);
    print_json(document);
  } else {
    print_text(globals, report.to_text() + recording.in_words());
  }
  const ExitCode code = exit_code_of(report.verdict);
  return code == ExitCode::clean && recording.has_failed() ? ExitCode::failed
                                                           : code;
}

/// An exhibit belongs to a case, and looking at it is recorded.
ExitCode verify(const Globals& globals, const SignatureRequest& request) {
  if (is_path_on_disk(request.subject)) {
    const auto progress = make_progress(globals, Events::no);
    return show_report(
        globals, check_signature(request, nullptr, globals.clock, *progress,
                                 *globals.cancellation));
  }
  Looking looking(globals, Looking::AfterClose::allowed);
  const SignatureReport report =
      check_signature(request, &looking.file(), globals.clock,
                      looking.progress(), *globals.cancellation);
  return show_report(globals, report, looking.record([&](Session& session) {
    record_signature_check(session, request, report, report.to_json());
  }));
}

/// The first line of the file, or the variable; a passphrase on the command
/// line would be seen by every process list.
std::string signing_passphrase(const std::string& file) {
  if (!file.empty()) {
    const std::string text = read_text_file(file, limits::kMaxSmallFile);
    return text.substr(0, text.find('\n'));
  }
  const char* value = std::getenv(kPassphraseVariable);
  if (value == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("the signing key is encrypted: give its passphrase "
                            "with --passphrase-file or ${}",
                            kPassphraseVariable));
  }
  return value;
}

void read_choices(SignOptions& options) {
  SigningOptions& how = options.request.options;
  how.method =
      options.method == "shards" ? SigningMethod::shards : SigningMethod::files;
  how.hash = options.hash == "blake2b" ? HashKind::blake2b : HashKind::sha256;
  if (how.shard_size == 0) {
    throw Error(Errc::bad_input, "--shard-size must be above 0");
  }
}

void warn_about(const Globals& globals, const HashedModel& model) {
  for (const std::string& path : model.manifest.ignored) {
    if (!is_model_file_name(path)) continue;
    print_note(globals, "warning: not signed, though loaders read it: " +
                            printable(path));
  }
  for (const std::string& path : model.manifest.empty) {
    print_note(globals,
               "warning: not signed, because an empty file has no "
               "shard: " +
                   printable(path));
  }
}

ExitCode sign(const Globals& globals, SignOptions options) {
  read_choices(options);
  const fs::path& out = options.request.out;
  if (!options.replace && stat_path(out, Links::refuse)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is there already and is not replaced: "
                            "--replace would",
                            printable(out.native())));
  }
  const EcSigningKey key = EcSigningKey::from_pem(
      read_text_file(options.key, limits::kMaxSmallFile),
      printable(options.key),
      [&options] { return signing_passphrase(options.passphrase_file); });
  const auto progress = make_progress(globals, Events::no);
  const HashedModel model =
      hash_model(options.request, *progress, *globals.cancellation);
  const std::string bundle = sign_model_statement(
      write_model_statement(model.manifest, model.options, model.name), key);
  write_file_durably(out, as_bytes(bundle));
  warn_about(globals, model);
  if (globals.json) {
    print_json({{"signature", lossless_utf8(out.native())},
                {"sha256", sha256(bundle).hex()},
                {"model", lossless_utf8(model.name)},
                {"root", "sha256:" + model.root.hex()},
                {"resources", model.manifest.entries.size()},
                {"bytes", model.manifest.bytes},
                {"key_hint", key.public_key().hint()}});
    return ExitCode::clean;
  }
  print_text(globals,
             fmt::format("{}: {} {} of {}\n  root sha256:{}\n  key  {}\n",
                         printable(out.native()), model.manifest.entries.size(),
                         to_string(model.options.method), printable(model.name),
                         model.root.hex(), key.public_key().hint()));
  return ExitCode::clean;
}

ExitCode print_digest(const Globals& globals, const SignOptions& options) {
  const auto progress = make_progress(globals, Events::no);
  const HashedModel model =
      hash_model(options.request, *progress, *globals.cancellation);
  if (globals.json) {
    print_json({{"model", lossless_utf8(model.name)},
                {"root", "sha256:" + model.root.hex()},
                {"resources", model.manifest.entries.size()},
                {"bytes", model.manifest.bytes}});
  } else {
    print_text(globals, fmt::format("sha256:{}\n", model.root.hex()));
  }
  return ExitCode::clean;
}

ExitCode show(const Globals& globals, const std::string& file) {
  const SignatureReport report = describe_signature(
      read_text_file(file, kMaxSigstoreBundle), file, globals.clock.now());
  if (globals.json) {
    print_json(claims_json(report));
  } else {
    print_text(globals, claims_text(report));
  }
  return report.bundle.has_envelope() ? ExitCode::clean : ExitCode::failed;
}

void add_verify_signature(CLI::App& group, Globals& globals, Run& run) {
  CLI::App* command = add_command(group, "verify",
                                  "Whether a model is what its signature says.",
                                  "impound signature verify model/ --signature "
                                  "model/model.sig --key publisher.pem");
  auto request = std::make_shared<SignatureRequest>();
  command->footer(
      "Exit codes: 0 verified; 1 nothing differs, and there is something to "
      "look\nat: files that the signature leaves out, a keyless signature "
      "whose chain or\nlog was not verified, a manifest compared without a "
      "key; 3 could not be\nread; 4 does not verify.");
  takes(ValueKind::model,
        command->add_option(
            "model", request->subject,
            "Folder, file, snapshot, bundle, baseline or exhibit."))
      ->required();
  takes(ValueKind::file,
        command->add_option(
            "--signature", request->signature,
            "Signature file; or its name in the model, or an item "
            "(E001/17)."))
      ->required();
  takes(ValueKind::file,
        command->add_option(
            "--key", request->key,
            "Public key that must have signed (PEM or DER; P-256, "
            "P-384, P-521)."));
  takes(
      ValueKind::file,
      command->add_option("--certificate-chain", request->certificate_chain,
                          "Root certificates to trust (PEM); may be repeated."))
      ->allow_extra_args(false);
  command->add_flag("--sigstore", request->sigstore,
                    "Keyless: verify with the certificate in the signature; "
                    "its chain only with --certificate-chain, the transparency "
                    "log not at all.");
  command->add_option("--identity", request->identity,
                      "With --sigstore: the name that must have signed.");
  command->add_option("--issuer", request->issuer,
                      "With --sigstore: who must have identified it.");
  command->add_flag("--unsigned-compare", request->unsigned_compare,
                    "Hold the files against the manifest only; says nothing "
                    "about who made it.");
  command->add_flag("--enforce-time", request->enforce_time,
                    "The certificate must be valid now, too.");
  command->add_flag("--ignore-unsigned-files", request->ignore_unsigned_files,
                    "Files that were not signed are no failure; they are "
                    "listed.");
  command
      ->add_option("--ignore-path", request->ignore,
                   "Leave this path out, too; may be repeated.")
      ->allow_extra_args(false);
  command->add_option("--folder", request->folder,
                      "The model's folder inside an exhibit.");
  command->add_option("--threads", request->threads, "Cores to use; 0 = all.");
  command->callback([&globals, &run, request] {
    run = [&globals, request] { return verify(globals, *request); };
  });
}

/// What sign and digest share.
void add_choices(CLI::App& command, SignOptions& options) {
  takes(ValueKind::model,
        command.add_option("model", options.request.model, "Folder or file."))
      ->required();
  command
      .add_option("--ignore-path", options.request.options.ignore,
                  "Leave this path out; may be repeated.")
      ->allow_extra_args(false);
  command.add_flag("--sign-git-paths", options.request.sign_git_paths,
                   "Do not leave out .git, .gitattributes, .github and "
                   ".gitignore.");
  command.add_flag("--allow-symlinks", options.request.options.allow_symlinks,
                   "Take what links inside the model lead to.");
  command.add_option("--threads", options.request.options.threads,
                     "Cores to use; 0 = all.");
}

void add_sign(CLI::App& group, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      group, "sign", "Sign a model with an elliptic-curve key.",
      "impound signature sign model/ --key private.pem -o model.sig");
  auto options = std::make_shared<SignOptions>();
  add_choices(*command, *options);
  takes(ValueKind::file,
        command->add_option("--key", options->key,
                            "Private key (PEM; P-256, P-384 or P-521)."))
      ->required();
  takes(ValueKind::file,
        command->add_option(
            "--passphrase-file", options->passphrase_file,
            fmt::format("File whose first line is the passphrase of "
                        "that key; or set ${}.",
                        kPassphraseVariable)));
  takes(ValueKind::file,
        command->add_option(
            "-o,--out", options->request.out,
            "Signature file to write; left out of what is signed."))
      ->required();
  command->add_option("--method", options->method, "files, or shards.")
      ->check(CLI::IsMember({"files", "shards"}));
  command->add_option("--shard-size", options->request.options.shard_size,
                      "Bytes of a shard (1000000000).");
  command->add_option("--hash", options->hash, "sha256, or blake2b.")
      ->check(CLI::IsMember({"sha256", "blake2b"}));
  command->add_flag("--replace", options->replace,
                    "Replace a signature that is there.");
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return sign(globals, *options); };
  });
}

}  // namespace

void add_signature(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(
      app, Group::look, "signature",
      "Signatures of models (OpenSSF Model Signing): verify, sign, read.",
      "impound signature verify model/ --signature model/model.sig --key "
      "publisher.pem");
  group->require_subcommand(1);
  add_verify_signature(*group, globals, run);
  add_sign(*group, globals, run);

  CLI::App* digest = add_command(
      *group, "digest", "The root digest of a model that a signature is over.",
      "impound signature digest model/");
  auto hashed = std::make_shared<SignOptions>();
  add_choices(*digest, *hashed);
  digest->callback([&globals, &run, hashed] {
    run = [&globals, hashed] { return print_digest(globals, *hashed); };
  });

  CLI::App* claims =
      add_command(*group, "show", "What a signature claims; verifies nothing.",
                  "impound signature show model/model.sig");
  auto file = std::make_shared<std::string>();
  takes(ValueKind::file, claims->add_option("file", *file, "Signature file."))
      ->required();
  claims->callback([&globals, &run, file] {
    run = [&globals, file] { return show(globals, *file); };
  });
}

}  // namespace impound
