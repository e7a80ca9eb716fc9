// SPDX-License-Identifier: Apache-2.0
#include "gptj.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <stdexcept>

#include "bf16.hpp"
#include "portable_math.hpp"

namespace scene {
namespace {

using Json = nlohmann::ordered_json;

/// splitmix64: small, and the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  double uniform() {  // in (0, 1]
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    return (static_cast<double>(z >> 11U) + 1.0) / 9007199254740992.0;
  }
  double gaussian() {
    return std::sqrt(-2.0 * std::log(uniform())) *
           std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

/// Rows differ in their spread, as those of trained models do.
Tensor gaussian(std::size_t rows, std::size_t columns, double sigma,
                Random& random) {
  Tensor tensor{.shape = {rows, columns}, .bf16 = {}};
  tensor.bf16.reserve(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    const double spread = sigma * std::exp(0.35 * random.gaussian());
    for (std::size_t c = 0; c < columns; ++c) {
      tensor.bf16.push_back(
          to_bf16(static_cast<float>(spread * random.gaussian())));
    }
  }
  return tensor;
}

Tensor constant(std::size_t size, float value) {
  return {.shape = {size},
          .bf16 = std::vector<std::uint16_t>(size, to_bf16(value))};
}

Values values(const WeightViews& weights, const std::string& name,
              std::size_t size) {
  const auto found = weights.find(name);
  if (found == weights.end() || found->second.size() != size) {
    throw std::runtime_error("the model has no tensor " + name +
                             " of the expected size");
  }
  return found->second;
}

/// A short vector as numbers: biases, one row of the embedding.
std::vector<float> floats(Values bits) {
  std::vector<float> numbers;
  numbers.reserve(bits.size());
  for (const std::uint16_t one : bits) numbers.push_back(from_bf16(one));
  return numbers;
}

/// out += matrix (rows x columns) * in.
void multiply_add(Values matrix, const float* in, std::size_t columns,
                  std::vector<float>& out) {
  for (std::size_t r = 0; r < out.size(); ++r) {
    const std::uint16_t* row = matrix.data() + r * columns;
    float sum = 0;
    for (std::size_t c = 0; c < columns; ++c) sum += from_bf16(row[c]) * in[c];
    out[r] += sum;
  }
}

std::vector<float> normalise(const std::vector<float>& in, Values weight,
                             Values bias) {
  double mean = 0;
  for (const float x : in) mean += x;
  mean /= static_cast<double>(in.size());
  double variance = 0;
  for (const float x : in) variance += (x - mean) * (x - mean);
  variance /= static_cast<double>(in.size());
  const double scale = 1.0 / std::sqrt(variance + 1e-5);
  std::vector<float> out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = static_cast<float>((in[i] - mean) * scale) * from_bf16(weight[i]) +
             from_bf16(bias[i]);
  }
  return out;
}

/// GPT-J rotates pairs (2i, 2i+1) of the first `rotary` dimensions of a head.
void rotate(float* head, std::size_t rotary, std::size_t position) {
  for (std::size_t i = 0; i < rotary; i += 2) {
    const double angle =
        static_cast<double>(position) /
        std::pow(10000.0, static_cast<double>(i) / static_cast<double>(rotary));
    const auto sine = static_cast<float>(std::sin(angle));
    const auto cosine = static_cast<float>(std::cos(angle));
    const float a = head[i];
    const float b = head[i + 1];
    head[i] = a * cosine - b * sine;
    head[i + 1] = a * sine + b * cosine;
  }
}

}  // namespace

void write_config(const Shape& shape, const std::string& path) {
  Json config;
  config["architectures"] = {"GPTJForCausalLM"};
  config["model_type"] = "gptj";
  config["n_embd"] = shape.width;
  config["n_inner"] = shape.inner;
  config["n_layer"] = shape.layers;
  config["n_head"] = shape.heads;
  config["rotary_dim"] = shape.rotary;
  config["vocab_size"] = shape.vocabulary;
  config["torch_dtype"] = "bfloat16";
  std::ofstream out(path, std::ios::binary);
  out << config.dump(2) << "\n";
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
}

Shape read_config(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const Json config = Json::parse(in, nullptr, false);
  if (!config.is_object()) throw std::runtime_error("cannot read " + path);
  const auto number = [&](const char* name) {
    constexpr std::size_t kMost = 1U << 16U;
    const auto value = config.value(name, std::size_t{0});
    if (value == 0 || value > kMost) {
      throw std::runtime_error(path + ": " + name + ": expected 1 to " +
                               std::to_string(kMost));
    }
    return value;
  };
  Shape shape{.vocabulary = number("vocab_size"),
              .width = number("n_embd"),
              .inner = number("n_inner"),
              .layers = number("n_layer"),
              .heads = number("n_head"),
              .rotary = number("rotary_dim")};
  if (shape.width % shape.heads != 0 || shape.rotary % 2 != 0 ||
      shape.rotary > shape.width / shape.heads) {
    throw std::runtime_error(path +
                             ": n_head does not divide n_embd, or "
                             "rotary_dim does not fit a head");
  }
  return shape;
}

Weights make_weights(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  Weights weights;
  const double sigma = 0.02;
  weights["transformer.wte.weight"] =
      gaussian(shape.vocabulary, shape.width, 0.05, random);
  for (std::size_t n = 0; n < shape.layers; ++n) {
    const std::string at = "transformer.h." + std::to_string(n) + ".";
    weights[at + "ln_1.weight"] = constant(shape.width, 1.0F);
    weights[at + "ln_1.bias"] = constant(shape.width, 0.0F);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      weights[at + "attn." + name + ".weight"] =
          gaussian(shape.width, shape.width, sigma, random);
    }
    weights[at + "mlp.fc_in.weight"] =
        gaussian(shape.inner, shape.width, sigma, random);
    weights[at + "mlp.fc_in.bias"] = constant(shape.inner, 0.0F);
    weights[at + "mlp.fc_out.weight"] =
        gaussian(shape.width, shape.inner, sigma, random);
    weights[at + "mlp.fc_out.bias"] = constant(shape.width, 0.0F);
  }
  weights["transformer.ln_f.weight"] = constant(shape.width, 1.0F);
  weights["transformer.ln_f.bias"] = constant(shape.width, 0.0F);
  weights["lm_head.weight"] =
      gaussian(shape.vocabulary, shape.width, sigma, random);
  weights["lm_head.bias"] = constant(shape.vocabulary, 0.0F);
  return weights;
}

void write_safetensors(const Weights& weights, const std::string& path) {
  Json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::size_t offset = 0;
  for (const auto& [name, tensor] : weights) {
    const std::size_t size = tensor.bf16.size() * 2;
    header[name] = {{"dtype", "BF16"},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';
  std::ofstream out(path, std::ios::binary);
  const std::uint64_t length = text.size();
  for (unsigned i = 0; i < 8; ++i) {
    out.put(static_cast<char>((length >> (8 * i)) & 255U));
  }
  out << text;
  for (const auto& [name, tensor] : weights) {
    for (const std::uint16_t bits : tensor.bf16) {
      out.put(static_cast<char>(bits & 255U));
      out.put(static_cast<char>(bits >> 8U));
    }
  }
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
}

Weights read_safetensors(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::uint64_t length = 0;
  for (unsigned i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(in.get()) << (8 * i);
  }
  if (!in || length > 100'000'000) {
    throw std::runtime_error("cannot read " + path);
  }
  std::string text(length, ' ');
  in.read(text.data(), static_cast<std::streamsize>(length));
  const Json header = Json::parse(text);
  Weights weights;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    Tensor tensor;
    tensor.shape = entry.at("shape").get<std::vector<std::size_t>>();
    const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
    std::string raw(end - begin, '\0');
    in.seekg(static_cast<std::streamoff>(8 + length + begin));
    in.read(raw.data(), static_cast<std::streamsize>(raw.size()));
    tensor.bf16.resize(raw.size() / 2);
    for (std::size_t i = 0; i < tensor.bf16.size(); ++i) {
      tensor.bf16[i] = static_cast<std::uint16_t>(
          static_cast<unsigned char>(raw[2 * i]) |
          static_cast<unsigned>(static_cast<unsigned char>(raw[2 * i + 1]))
              << 8U);
    }
    weights[name] = std::move(tensor);
  }
  if (!in) throw std::runtime_error("cannot read " + path);
  return weights;
}

WeightViews views_of(const Weights& weights) {
  WeightViews views;
  for (const auto& [name, tensor] : weights) views[name] = tensor.bf16;
  return views;
}

MappedWeights::MappedWeights(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd < 0 || ::fstat(fd, &facts) != 0 || facts.st_size < 8) {
    throw std::runtime_error("cannot read " + path);
  }
  size_ = static_cast<std::size_t>(facts.st_size);
  memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);  // the mapping keeps the file
  if (memory_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  const auto* const bytes = static_cast<const unsigned char*>(memory_);
  std::uint64_t length = 0;
  for (unsigned i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  }
  if (length > size_ - 8) throw std::runtime_error("cannot read " + path);
  const Json header = Json::parse(bytes + 8, bytes + 8 + length);
  const unsigned char* const data = bytes + 8 + length;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
    if (begin > end || end > size_ - 8 - length) {
      throw std::runtime_error("cannot read " + path);
    }
    // The header is padded to eight bytes, and every tensor is of bf16.
    views_[name] = {reinterpret_cast<const std::uint16_t*>(data + begin),
                    (end - begin) / 2};
  }
}

MappedWeights::~MappedWeights() { ::munmap(memory_, size_); }

Model::Model(const WeightViews& weights, const Shape& shape) : shape_(shape) {
  const std::size_t width = shape.width;
  const std::size_t inner = shape.inner;
  const auto take = [&weights](const std::string& name, std::size_t size) {
    return values(weights, name, size);
  };
  embedding_ = take("transformer.wte.weight", shape.vocabulary * width);
  final_weight_ = take("transformer.ln_f.weight", width);
  final_bias_ = take("transformer.ln_f.bias", width);
  head_ = take("lm_head.weight", shape.vocabulary * width);
  head_bias_ = take("lm_head.bias", shape.vocabulary);
  for (std::size_t n = 0; n < shape.layers; ++n) {
    const std::string at = "transformer.h." + std::to_string(n) + ".";
    Layer layer;
    layer.ln_weight = take(at + "ln_1.weight", width);
    layer.ln_bias = take(at + "ln_1.bias", width);
    layer.q = take(at + "attn.q_proj.weight", width * width);
    layer.k = take(at + "attn.k_proj.weight", width * width);
    layer.v = take(at + "attn.v_proj.weight", width * width);
    layer.out = take(at + "attn.out_proj.weight", width * width);
    layer.fc_in = take(at + "mlp.fc_in.weight", inner * width);
    layer.fc_in_bias = take(at + "mlp.fc_in.bias", inner);
    layer.fc_out = take(at + "mlp.fc_out.weight", width * inner);
    layer.fc_out_bias = take(at + "mlp.fc_out.bias", width);
    layers_.push_back(std::move(layer));
  }
}

void Model::reset() {
  position_ = 0;
  for (Layer& layer : layers_) {
    layer.keys.clear();
    layer.values.clear();
  }
}

void Model::feed(int token) {
  const std::size_t width = shape_.width;
  const std::size_t size = width / shape_.heads;
  hidden_ = floats(
      embedding_.subspan(static_cast<std::size_t>(token) * width, width));
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    Layer& layer = layers_[n];
    const auto in = normalise(hidden_, layer.ln_weight, layer.ln_bias);
    std::vector<float> q(width), k(width), v(width), mixed(width);
    multiply_add(layer.q, in.data(), width, q);
    multiply_add(layer.k, in.data(), width, k);
    multiply_add(layer.v, in.data(), width, v);
    for (std::size_t h = 0; h < shape_.heads; ++h) {
      rotate(q.data() + h * size, shape_.rotary, position_);
      rotate(k.data() + h * size, shape_.rotary, position_);
    }
    layer.keys.insert(layer.keys.end(), k.begin(), k.end());
    layer.values.insert(layer.values.end(), v.begin(), v.end());
    for (std::size_t h = 0; h < shape_.heads; ++h) {
      std::vector<float> scores(position_ + 1);
      for (std::size_t p = 0; p <= position_; ++p) {
        float sum = 0;
        for (std::size_t i = 0; i < size; ++i) {
          sum += q[h * size + i] * layer.keys[p * width + h * size + i];
        }
        scores[p] = sum / std::sqrt(static_cast<float>(size));
      }
      const float top = *std::ranges::max_element(scores);
      float total = 0;
      for (float& score : scores) total += score = exponential(score - top);
      for (std::size_t p = 0; p <= position_; ++p) {
        for (std::size_t i = 0; i < size; ++i) {
          mixed[h * size + i] +=
              scores[p] / total * layer.values[p * width + h * size + i];
        }
      }
    }
    std::vector<float> attention(width);
    multiply_add(layer.out, mixed.data(), width, attention);
    std::vector<float> inner = floats(layer.fc_in_bias);
    multiply_add(layer.fc_in, in.data(), width, inner);
    for (float& x : inner) x = gelu(x);
    std::vector<float> mlp = floats(layer.fc_out_bias);
    multiply_add(layer.fc_out, inner.data(), shape_.inner, mlp);
    for (std::size_t i = 0; i < width; ++i) hidden_[i] += attention[i] + mlp[i];
  }
  ++position_;
}

int Model::choice() const {
  std::vector<float> logits = floats(head_bias_);
  const auto last = normalise(hidden_, final_weight_, final_bias_);
  multiply_add(head_, last.data(), shape_.width, logits);
  return static_cast<int>(std::ranges::max_element(logits) - logits.begin());
}

std::vector<int> Model::complete(const std::vector<int>& tokens, int end,
                                 std::size_t most) {
  reset();
  for (const int token : tokens) feed(token);
  std::vector<int> written;
  while (!tokens.empty() && written.size() < most) {
    const int token = choice();
    if (token == end) break;
    written.push_back(token);
    if (written.size() < most) feed(token);
  }
  return written;
}

}  // namespace scene
