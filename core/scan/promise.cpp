// SPDX-License-Identifier: Apache-2.0
#include "core/scan/promise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/formats/protobuf.hpp"
#include "core/formats/sentencepiece.hpp"

namespace impound {
namespace {

/// How a promise is kept.
enum class Kept : std::uint8_t {
  by_any_model,  ///< whatever was recognised and walked, texts excepted
  by_pickle,     ///< nothing else: the loader unpickles it
  by_protobuf,   ///< a model, or fields to the last byte
  by_json,       ///< a text of ours, or any JSON
};

struct Promise {
  std::string_view ending;  ///< of the name, in small letters
  std::string_view what;
  Kept kept = Kept::by_any_model;
};

/// Endings that loaders choose a reader by, and members that they look for.
constexpr std::array kEndings{
    Promise{".safetensors", "a safetensors file"},
    Promise{".gguf", "a GGUF file"},
    Promise{".onnx", "an ONNX model"},
    Promise{".bin", "a PyTorch checkpoint"},
    Promise{".pt", "a PyTorch checkpoint"},
    Promise{".pth", "a PyTorch checkpoint"},
    Promise{".ckpt", "a checkpoint"},
    Promise{".mar", "a TorchServe archive"},
    Promise{".nemo", "a NeMo archive"},
    Promise{".pkl", "a pickle"},
    Promise{".pickle", "a pickle"},
    Promise{".joblib", "a joblib pickle"},
    Promise{".skops", "a skops archive"},
    Promise{".h5", "an HDF5 file"},
    Promise{".hdf5", "an HDF5 file"},
    Promise{".keras", "a Keras archive"},
    Promise{".npy", "a NumPy array"},
    Promise{".npz", "a NumPy archive"},
    Promise{".pb", "a protobuf message", Kept::by_protobuf},
    Promise{"saved_model.pbtxt", "a SavedModel in text"},
    Promise{".zip", "a zip"},
    Promise{".tar", "a tar"},
    Promise{".tgz", "a packed tar"},
    Promise{".gz", "a gzip file"},
    Promise{".bz2", "a bzip2 file"},
    Promise{".xz", "an xz file"},
    Promise{".zst", "a zstd file"},
    Promise{".7z", "a 7z archive"},
};

/// Whole names: what Transformers, Diffusers, sentence-transformers, PEFT and
/// Ollama look up in a folder, and torch in its zip.
constexpr std::array kNames{
    Promise{"data.pkl", "the pickle of a PyTorch zip", Kept::by_pickle},
    Promise{"constants.pkl", "the pickle of a PyTorch zip", Kept::by_pickle},
    Promise{"config.json", "a configuration", Kept::by_json},
    Promise{"tokenizer.json", "a tokenizer", Kept::by_json},
    Promise{"tokenizer_config.json", "a configuration", Kept::by_json},
    Promise{"special_tokens_map.json", "a list of tokens", Kept::by_json},
    Promise{"added_tokens.json", "a list of tokens", Kept::by_json},
    Promise{"vocab.json", "a vocabulary", Kept::by_json},
    Promise{"generation_config.json", "a configuration", Kept::by_json},
    Promise{"preprocessor_config.json", "a configuration", Kept::by_json},
    Promise{"processor_config.json", "a configuration", Kept::by_json},
    Promise{"video_preprocessor_config.json", "a configuration", Kept::by_json},
    Promise{"feature_extractor_config.json", "a configuration", Kept::by_json},
    Promise{"image_processor_config.json", "a configuration", Kept::by_json},
    Promise{"adapter_config.json", "a configuration", Kept::by_json},
    Promise{"scheduler_config.json", "a configuration", Kept::by_json},
    Promise{"quantize_config.json", "a configuration", Kept::by_json},
    Promise{"quant_config.json", "a configuration", Kept::by_json},
    Promise{"config_sentence_transformers.json", "a configuration",
            Kept::by_json},
    Promise{"sentence_bert_config.json", "a configuration", Kept::by_json},
    Promise{"chat_template.json", "a chat template", Kept::by_json},
    Promise{"model_index.json", "an index of a pipeline", Kept::by_json},
    Promise{"modules.json", "a list of modules", Kept::by_json},
    Promise{"model.safetensors.index.json", "an index of weights",
            Kept::by_json},
    Promise{"pytorch_model.bin.index.json", "an index of weights",
            Kept::by_json},
    Promise{"diffusion_pytorch_model.safetensors.index.json",
            "an index of weights", Kept::by_json},
    Promise{"params.json", "a configuration", Kept::by_json},
    Promise{"trainer_state.json", "the state of a training", Kept::by_json},
};

const Promise* promise_of(std::string_view path) {
  const std::string name = to_lower_ascii(base_name(path));
  for (const Promise& each : kNames) {
    if (name == each.ending) return &each;
  }
  for (const Promise& each : kEndings) {
    if (name.size() > each.ending.size() && name.ends_with(each.ending)) {
      return &each;
    }
  }
  return nullptr;
}

/// Names of ".bin" that loaders hand to torch.load: Transformers, Diffusers,
/// PEFT, Accelerate.
bool is_looked_up_by_torch(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kParts = {
      "pytorch_model", "adapter_model", "training_args", "optimizer",
      "scheduler"};
  return std::ranges::any_of(kParts, [&](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  });
}

/// Bytes that a runtime keeps under ".bin" and reads as numbers, because the
/// file beside them says so: OpenVINO's .xml, TensorFlow.js's model.json, the
/// cache index of MLC and TVM, the external data of an ONNX model, Core ML's
/// package. What torch looks up, by its name or in an index, is none.
bool are_bare_numbers(std::string_view path, const Beside& beside) {
  const std::string_view name = base_name(path);
  if (!name.ends_with(".bin")) return false;
  const std::string quoted = '"' + std::string(name) + '"';
  if (is_looked_up_by_torch(to_lower_ascii(name)) ||
      beside.is_named_in(".bin.index.json", quoted)) {
    return false;
  }
  const std::string stem(name.substr(0, name.size() - 4));
  if (beside.has(stem + ".xml")) return true;
  if (name.starts_with("group") && name.find("-shard") != name.npos &&
      beside.has("model.json")) {
    return true;
  }
  if (name == "weight.bin" &&
      path.find("com.apple.CoreML/weights/") != path.npos) {
    return true;
  }
  return beside.is_named_in("ndarray-cache.json", quoted) ||
         beside.is_named_in("tensor-cache.json", quoted) ||
         beside.is_named_in(".onnx", name);
}

/// A vocabulary of SentencePiece, walked to its end.
bool is_sentencepiece(const FormatSubject& subject) {
  return outline_of(subject).has_bytes(1) &&
         read_sentencepiece(subject.source).complete;
}

/// Fields from the first byte to the last.
bool is_protobuf(const FormatSubject& subject) {
  return subject.source.size() != 0 && outline_of(subject).ok;
}

bool is_json(const FormatSubject& subject) {
  if (subject.source.size() > kMaxJsonText) return false;
  const Bytes text = subject.source.head(0, subject.source.size());
  try {
    static_cast<void>(parse_config_json(as_text(text), subject.name));
    return true;
  } catch (const Error& error) {
    if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
    return false;
  }
}

}  // namespace

std::string broken_promise(std::string_view path, const FormatSubject& subject,
                           std::span<const Format> found,
                           const Beside& beside) {
  const Promise* const promise = promise_of(path);
  if (promise == nullptr) return {};
  const bool is_model = std::ranges::any_of(
      found, [](Format format) { return role_of(format) != FormatRole::text; });
  bool is_kept = false;
  switch (promise->kept) {
    case Kept::by_any_model:
      is_kept = is_model || are_bare_numbers(path, beside) ||
                is_sentencepiece(subject);
      break;
    case Kept::by_pickle:
      is_kept = std::ranges::find(found, Format::pickle) != found.end();
      break;
    case Kept::by_protobuf:
      is_kept = is_model || is_protobuf(subject);
      break;
    case Kept::by_json:
      is_kept = (!found.empty() && !is_model) || is_json(subject);
      break;
  }
  if (is_kept) return {};
  return fmt::format(
      "{} promises {}, and it cannot be read as one: what its "
      "loader makes of it is unknown",
      printable(base_name(path)), promise->what);
}

std::string unkept_to_its_end(std::string_view path) {
  const Promise* const promise = promise_of(path);
  if (promise == nullptr) return {};
  return fmt::format(
      "{} promises {}, and it cannot be read to its end: what its loader makes "
      "of it is unknown",
      printable(base_name(path)), promise->what);
}

bool promises_model(std::string_view path) {
  const Promise* const promise = promise_of(path);
  return promise != nullptr && promise->kept != Kept::by_json;
}

}  // namespace impound
