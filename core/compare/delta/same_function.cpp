// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/same_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/compare/delta/model_sentence.hpp"
#include "core/view/known_digests.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindowBytes = 4U << 20U;
constexpr std::uint64_t kMostUnits = 1U << 20U;

enum class Axis : std::uint8_t { rows, columns };

/// A tensor that a permutation of a group's units moves.
struct Member {
  const TensorChange* change = nullptr;
  Axis axis = Axis::rows;
  std::uint64_t units = 0;
  /// Seeded with what the head's key and value are.
  bool is_of_query = false;
};

/// What a name is within its module: "gate_proj" and "weight".
struct Place {
  std::string parent;
  std::string module;
  std::string leaf;
};

std::optional<Place> place_in_module(const std::string& name) {
  const std::size_t leaf = name.rfind('.');
  if (leaf == std::string::npos || leaf == 0) return std::nullopt;
  const std::size_t module = name.rfind('.', leaf - 1);
  if (module == std::string::npos) return std::nullopt;
  return Place{name.substr(0, module),
               name.substr(module + 1, leaf - module - 1),
               name.substr(leaf + 1)};
}

bool is_one_of(std::string_view word,
               std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_mlp_in(std::string_view module) {
  return is_one_of(module, {"gate_proj", "up_proj", "fc_in", "fc1", "w1", "w3",
                            "dense_h_to_4h"});
}
bool is_mlp_out(std::string_view module) {
  return is_one_of(module,
                   {"down_proj", "fc_out", "fc2", "w2", "dense_4h_to_h"});
}

/// Bytes of one number; 0 for numbers without bytes of their own.
std::uint64_t width_of(const ViewTensor& tensor) {
  const DtypeTraits& type = traits(tensor.dtype);
  if (type.block_elements != 1 || type.block_bits % 8 != 0) return 0;
  return type.block_bits / 8;
}

bool is_comparable(const TensorChange& change) {
  return change.before && change.after && !change.reorder && !change.is_tied &&
         !change.part_of && change.old_name.empty() &&
         change.before->dtype == change.after->dtype &&
         change.before->shape == change.after->shape &&
         !change.before->shape.empty() && change.before->shape.size() <= 2 &&
         width_of(*change.before) > 0;
}

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30U;
  x *= 0xBF58476D1CE4E5B9U;
  x ^= x >> 27U;
  x *= 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

std::uint64_t hash_of(ByteView bytes) {
  std::uint64_t hash = bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    hash = mix(hash ^ word) + 0x9E3779B97F4A7C15U;
    bytes = bytes.subspan(8);
  }
  for (const std::byte each : bytes) {
    hash = mix(hash ^ std::to_integer<std::uint64_t>(each)) + 1;
  }
  return hash;
}

/// A tensor as rows of bytes.
struct Rows {
  OpenTensor opened;
  std::uint64_t rows = 0;
  std::uint64_t row_bytes = 0;

  Rows(OpenTensors& files, const ViewTensor& tensor)
      : opened(files.open(tensor, std::nullopt)),
        rows(tensor.shape.front()),
        row_bytes(tensor.size / std::max<std::uint64_t>(1, rows)) {}

  void read(std::uint64_t row, std::span<std::byte> out) const {
    opened.bytes.source->read(opened.bytes.offset + row * row_bytes, out);
  }
  [[nodiscard]] std::uint64_t window() const {
    return std::clamp<std::uint64_t>(
        kWindowBytes / std::max<std::uint64_t>(1, row_bytes), 1, rows);
  }
};

/// Adds what a tensor holds of each unit to the unit's print.
void print_units(const Rows& tensor, const Member& member,
                 std::vector<std::uint64_t>& prints) {
  const std::uint64_t units = member.units;
  Bytes bytes;
  for (std::uint64_t row = 0; row < tensor.rows; row += tensor.window()) {
    const std::uint64_t count = std::min(tensor.window(), tensor.rows - row);
    bytes.resize(static_cast<std::size_t>(count * tensor.row_bytes));
    tensor.read(row, bytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      const ByteView line = ByteView(bytes).subspan(
          static_cast<std::size_t>(i * tensor.row_bytes),
          static_cast<std::size_t>(tensor.row_bytes));
      if (member.axis == Axis::rows) {
        const std::uint64_t size = tensor.rows / units;
        const auto unit = static_cast<std::size_t>((row + i) / size);
        prints[unit] += mix(hash_of(line) ^ mix((row + i) % size + 1));
        continue;
      }
      const std::uint64_t size = tensor.row_bytes / units;
      for (std::uint64_t unit = 0; unit < units; ++unit) {
        prints[static_cast<std::size_t>(unit)] +=
            mix(hash_of(line.subspan(static_cast<std::size_t>(unit * size),
                                     static_cast<std::size_t>(size))) ^
                mix(row + i + 1));
      }
    }
  }
  // What follows is another tensor.
  for (std::uint64_t& each : prints) each = mix(each ^ 0x5851F42D4C957F2DU);
}

using Order = std::vector<std::uint64_t>;

/// For each unit now, the one that it was; empty where there is none.
std::optional<Order> order_of(const std::vector<std::uint64_t>& old,
                              const std::vector<std::uint64_t>& now) {
  std::map<std::uint64_t, std::deque<std::uint64_t>> places;
  for (std::size_t i = 0; i < old.size(); ++i) places[old[i]].push_back(i);
  Order order(now.size());
  // Those that stayed first: of twins, each stays.
  std::vector<bool> is_placed(now.size(), false);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (old[i] != now[i]) continue;
    auto& same = places[old[i]];
    same.erase(std::find(same.begin(), same.end(), i));
    order[i] = i;
    is_placed[i] = true;
  }
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (is_placed[i]) continue;
    const auto found = places.find(now[i]);
    if (found == places.end() || found->second.empty()) return std::nullopt;
    order[i] = found->second.front();
    found->second.pop_front();
  }
  return order;
}

/// Every byte of the tensor is the old one's, by the order.
bool is_moved_by(const Rows& old, const Rows& now, const Member& member,
                 const Order& order, const Cancellation& cancellation) {
  const std::uint64_t units = member.units;
  if (member.axis == Axis::rows) {
    const auto size =
        static_cast<std::size_t>(now.rows / units * now.row_bytes);
    Bytes one(size);
    Bytes two(size);
    for (std::uint64_t unit = 0; unit < units; ++unit) {
      if (cancellation.requested()) return false;
      now.read(unit * (now.rows / units), two);
      old.read(order[static_cast<std::size_t>(unit)] * (old.rows / units), one);
      if (one != two) return false;
    }
    return true;
  }
  const auto size = static_cast<std::size_t>(now.row_bytes / units);
  Bytes one;
  Bytes two;
  for (std::uint64_t row = 0; row < now.rows; row += now.window()) {
    if (cancellation.requested()) return false;
    const std::uint64_t count = std::min(now.window(), now.rows - row);
    one.resize(static_cast<std::size_t>(count * now.row_bytes));
    two.resize(one.size());
    old.read(row, one);
    now.read(row, two);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto line = static_cast<std::size_t>(i * now.row_bytes);
      for (std::uint64_t unit = 0; unit < units; ++unit) {
        const auto was =
            static_cast<std::size_t>(order[static_cast<std::size_t>(unit)]);
        if (std::memcmp(two.data() + line + unit * size,
                        one.data() + line + was * size, size) != 0) {
          return false;
        }
      }
    }
  }
  return true;
}

std::uint64_t moved_in(const Order& order) {
  std::uint64_t moved = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    moved += order[i] != i ? 1U : 0U;
  }
  return moved;
}

struct Files {
  OpenTensors& old_files;
  OpenTensors& new_files;
  const Cancellation& cancellation;
};

std::vector<std::uint64_t> prints_of(const std::vector<Member>& members,
                                     std::vector<std::uint64_t> prints,
                                     bool is_now, Files& files) {
  for (const Member& member : members) {
    const Rows tensor(is_now ? files.new_files : files.old_files,
                      is_now ? *member.change->after : *member.change->before);
    print_units(tensor, member, prints);
  }
  return prints;
}

bool are_moved_by(const std::vector<Member>& members, const Order& order,
                  Files& files, OrderGroup& group) {
  for (const Member& member : members) {
    const Rows old(files.old_files, *member.change->before);
    const Rows now(files.new_files, *member.change->after);
    if (!is_moved_by(old, now, member, order, files.cancellation)) {
      group.why = fmt::format("{} is not in the order of the others",
                              printable(member.change->name));
      return false;
    }
    if (member.change->status != TensorStatus::identical) {
      group.tensors.insert(member.change->name);
    }
  }
  return true;
}

/// Each part of a module, by what it is.
using Module = std::map<std::string, const TensorChange*>;

constexpr const char* kNoOrder =
    "no order of the old ones gives all that belongs together";

OrderGroup verify_neurons(const std::string& parent, const Module& module,
                          Files& files) {
  OrderGroup group;
  group.what = "neurons of " + printable(parent);
  std::uint64_t inner = 0;
  for (const auto& [name, change] : module) {
    const Place place = *place_in_module(change->name);
    if (is_mlp_out(place.module) && place.leaf == "weight" && change->after &&
        change->after->shape.size() == 2) {
      inner = change->after->shape[1];
    }
  }
  std::vector<Member> members;
  for (const auto& [name, change] : module) {
    const Place place = *place_in_module(change->name);
    const bool is_known =
        (is_mlp_in(place.module) || is_mlp_out(place.module)) &&
        (place.leaf == "weight" || place.leaf == "bias");
    if (!is_known || !is_comparable(*change)) {
      group.why = fmt::format("{} is not known here", printable(change->name));
      return group;
    }
    if (is_mlp_out(place.module)) {
      // A bias behind the neurons is not theirs.
      if (place.leaf == "bias") continue;
      members.push_back({change, Axis::columns, inner});
      continue;
    }
    if (change->after->shape.front() != inner) {
      group.why =
          fmt::format("{} has {} rows for {} neurons", printable(change->name),
                      change->after->shape.front(), inner);
      return group;
    }
    members.push_back({change, Axis::rows, inner});
  }
  if (inner < 2 || inner > kMostUnits || members.size() < 2) {
    group.why = "its matrices are not both here";
    return group;
  }
  const std::vector<std::uint64_t> none(static_cast<std::size_t>(inner), 0);
  const std::optional<Order> order =
      order_of(prints_of(members, none, false, files),
               prints_of(members, none, true, files));
  if (!order) {
    group.why = kNoOrder;
    return group;
  }
  group.moved = moved_in(*order);
  group.is_verified = are_moved_by(members, *order, files, group);
  return group;
}

struct Heads {
  std::uint64_t query = 0;
  std::uint64_t key = 0;
};

/// As config.json of a side says; zeros where it does not.
Heads heads_of(const ModelView& view) {
  constexpr std::uint64_t kMostConfig = 1U << 20U;
  const ViewFile* const file = view.find_file("config.json");
  if (view.tree == nullptr || file == nullptr || file->size > kMostConfig) {
    return {};
  }
  const Bytes bytes = view.open("config.json")->head(0, file->size);
  const Json json = Json::parse(as_text(bytes), nullptr, false);
  const auto count = [&](const char* key) -> std::uint64_t {
    if (!json.is_object() || !json.contains(key) ||
        !json[key].is_number_unsigned()) {
      return 0;
    }
    return json[key].get<std::uint64_t>();
  };
  Heads heads{count("num_attention_heads"), count("num_key_value_heads")};
  if (heads.query == 0) heads.query = count("n_head");
  if (heads.key == 0) heads.key = heads.query;
  return heads;
}

OrderGroup verify_heads(const std::string& parent, const Module& module,
                        const Heads& heads, Files& files) {
  OrderGroup group;
  group.what = "heads of " + printable(parent);
  if (heads.query == 0 || heads.key == 0 || heads.query % heads.key != 0 ||
      heads.query > kMostUnits) {
    group.why =
        "config.json does not say how many heads there are, or not the "
        "same on both sides";
    return group;
  }
  const std::uint64_t each = heads.query / heads.key;
  std::vector<Member> keys;
  std::vector<Member> queries;
  std::set<std::string> seen;
  for (const auto& [name, change] : module) {
    const Place place = *place_in_module(change->name);
    const bool is_leaf = place.leaf == "weight" || place.leaf == "bias";
    const bool is_query = place.module == "q_proj";
    const bool is_key = is_one_of(place.module, {"k_proj", "v_proj"});
    const bool is_out = is_one_of(place.module, {"o_proj", "out_proj"});
    if (!is_leaf || !(is_query || is_key || is_out) ||
        !is_comparable(*change)) {
      // Norms of one head's width are the same for all heads.
      const bool is_shared =
          change->status == TensorStatus::identical && change->after &&
          is_one_of(place.module, {"q_norm", "k_norm", "rotary_emb"});
      if (is_shared && module.contains("q_proj.weight") &&
          !change->after->shape.empty() &&
          change->after->shape.back() * heads.query <=
              module.at("q_proj.weight")->after->shape.front()) {
        continue;
      }
      group.why = fmt::format("{} is not known here", printable(change->name));
      return group;
    }
    if (place.leaf == "weight") seen.insert(place.module);
    if (is_out && place.leaf == "bias") continue;
    const Axis axis = is_out ? Axis::columns : Axis::rows;
    const std::uint64_t units = is_key ? heads.key : heads.query;
    const std::uint64_t length =
        is_out ? change->after->shape.back() : change->after->shape.front();
    if (length % units != 0) {
      group.why = fmt::format("{} does not divide into {} heads",
                              printable(change->name), units);
      return group;
    }
    (is_key ? keys : queries).push_back({change, axis, units, !is_key});
  }
  if (seen.size() != 4) {
    group.why = "its matrices are not all here";
    return group;
  }
  const std::vector<std::uint64_t> none(static_cast<std::size_t>(heads.key), 0);
  const auto old_keys = prints_of(keys, none, false, files);
  const auto new_keys = prints_of(keys, none, true, files);
  // A query's head belongs to what its key and value are.
  const auto seeded = [&](const std::vector<std::uint64_t>& prints) {
    std::vector<std::uint64_t> seeds(static_cast<std::size_t>(heads.query));
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      seeds[i] = prints[i / static_cast<std::size_t>(each)];
    }
    return seeds;
  };
  const std::optional<Order> key_order = order_of(old_keys, new_keys);
  const std::optional<Order> order =
      order_of(prints_of(queries, seeded(old_keys), false, files),
               prints_of(queries, seeded(new_keys), true, files));
  if (!key_order || !order) {
    group.why = kNoOrder;
    return group;
  }
  for (std::size_t head = 0; head < order->size(); ++head) {
    if ((*order)[head] / each !=
        (*key_order)[head / static_cast<std::size_t>(each)]) {
      group.why = "a head's query has another head's key";
      return group;
    }
  }
  group.moved = moved_in(*order);
  group.is_verified = are_moved_by(keys, *key_order, files, group) &&
                      are_moved_by(queries, *order, files, group);
  return group;
}

/// "…experts.7" as its parts; empty of other names.
struct ExpertName {
  std::string layer;  ///< what stands before ".experts."
  std::uint64_t number = 0;
  std::string rest = {};
};

std::optional<ExpertName> expert_of(const std::string& name) {
  constexpr std::string_view kMark = ".experts.";
  const std::size_t at = name.find(kMark);
  if (at == std::string::npos) return std::nullopt;
  ExpertName found{.layer = name.substr(0, at)};
  std::size_t i = at + kMark.size();
  std::size_t digits = 0;
  for (; i < name.size() && name[i] >= '0' && name[i] <= '9' && digits < 6;
       ++i, ++digits) {
    found.number =
        found.number * 10 + static_cast<std::uint64_t>(name[i] - '0');
  }
  if (digits == 0 || i >= name.size() || name[i] != '.') return std::nullopt;
  found.rest = name.substr(i + 1);
  return found;
}

/// What one expert is: the digests of its tensors, by name.
using ExpertPrint = std::map<std::string, std::string>;

OrderGroup verify_experts(const std::string& parent,
                          const std::vector<const TensorChange*>& experts,
                          const std::vector<const TensorChange*>& routers,
                          Files& files) {
  OrderGroup group;
  group.what = "experts of " + printable(parent);
  group.is_by_digest = true;
  std::map<std::uint64_t, ExpertPrint> old;
  std::map<std::uint64_t, ExpertPrint> now;
  for (const TensorChange* change : experts) {
    const ExpertName name = *expert_of(change->name);
    if (!is_comparable(*change) || !lookup_digest(*change->before) ||
        !lookup_digest(*change->after)) {
      group.why = fmt::format("{} has no digest on both sides",
                              printable(change->name));
      return group;
    }
    const std::string kind =
        fmt::format("{} {}", to_string(change->after->dtype),
                    shape_text(change->after->shape));
    old[name.number][name.rest] = lookup_digest(*change->before)->hex() + kind;
    now[name.number][name.rest] = lookup_digest(*change->after)->hex() + kind;
  }
  const std::uint64_t count = old.size();
  if (count < 2 || now.size() != count || old.rbegin()->first != count - 1) {
    group.why = "its experts are not numbered from 0 on";
    return group;
  }
  std::map<ExpertPrint, std::deque<std::uint64_t>> places;
  for (const auto& [number, print] : old) places[print].push_back(number);
  Order order(static_cast<std::size_t>(count));
  std::string words;
  for (const auto& [number, print] : now) {
    const auto found = places.find(print);
    if (found == places.end() || found->second.empty()) {
      group.why = fmt::format("expert {} is none of the old ones", number);
      return group;
    }
    auto& twins = found->second;
    const auto same = std::find(twins.begin(), twins.end(), number);
    const auto taken = same == twins.end() ? twins.begin() : same;
    order[static_cast<std::size_t>(number)] = *taken;
    if (*taken != number && group.moved++ < 8) {
      words +=
          fmt::format("{}{} was {}", words.empty() ? "" : ", ", number, *taken);
    }
    twins.erase(taken);
  }
  if (group.moved == 0) {
    group.why = "no expert is elsewhere";
    return group;
  }
  group.what += " (" + words + (group.moved > 8 ? ", …)" : ")");
  std::vector<Member> members;
  for (const TensorChange* router : routers) {
    if (!is_comparable(*router) || router->after->shape.front() != count) {
      group.why =
          fmt::format("{} has no row for each expert", printable(router->name));
      return group;
    }
    members.push_back({router, Axis::rows, count});
  }
  if (members.empty()) {
    group.why = "what sends tokens to them is not here";
    return group;
  }
  if (!are_moved_by(members, order, files, group)) {
    group.why =
        "the rows that send tokens to them did not follow: " + group.why;
    return group;
  }
  for (const TensorChange* change : experts) {
    if (change->status != TensorStatus::identical) {
      group.tensors.insert(change->name);
    }
  }
  group.is_verified = true;
  return group;
}

/// The number of the layer in a name, with what stands before and behind it.
struct LayerName {
  std::string before;
  std::uint64_t layer = 0;
  std::string behind;
};

std::optional<LayerName> layer_of(const std::string& name) {
  std::size_t from = 0;
  while (from < name.size()) {
    const std::size_t end = std::min(name.find('.', from), name.size());
    const std::string word = name.substr(from, end - from);
    const bool is_number = !word.empty() && word.size() < 7 &&
                           std::all_of(word.begin(), word.end(), [](char c) {
                             return c >= '0' && c <= '9';
                           });
    if (is_number) {
      return LayerName{name.substr(0, from), std::stoull(word),
                       end < name.size() ? name.substr(end) : ""};
    }
    from = end + 1;
  }
  return std::nullopt;
}

/// "0–11" of numbers that follow each other.
std::string range_words(std::uint64_t first, std::uint64_t last) {
  return first == last ? fmt::format("{}", first)
                       : fmt::format("{}–{}", first, last);
}

}  // namespace

std::vector<OrderGroup> verify_orders(const ModelDiff& diff,
                                      const ModelView& before,
                                      const ModelView& after,
                                      OpenTensors& old_files,
                                      OpenTensors& new_files,
                                      const Cancellation& cancellation) {
  std::map<std::string, Module> modules;
  std::map<std::string, std::vector<const TensorChange*>> experts;
  std::set<std::string> changed;
  for (const TensorChange& change : diff.tensors) {
    const std::optional<Place> place = place_in_module(change.name);
    if (!place) continue;
    const bool is_changed = change.status != TensorStatus::identical;
    modules[place->parent][place->module + "." + place->leaf] = &change;
    if (is_changed) changed.insert(place->parent);
    if (const auto expert = expert_of(change.name)) {
      experts[expert->layer].push_back(&change);
      if (is_changed) changed.insert(expert->layer + " experts");
    }
  }
  Files files{old_files, new_files, cancellation};
  const Heads old_heads = heads_of(before);
  Heads heads = heads_of(after);
  if (old_heads.query != heads.query || old_heads.key != heads.key) heads = {};
  std::vector<OrderGroup> groups;
  const auto has = [](const Module& module, auto is) {
    return std::ranges::any_of(module, [&](const auto& part) {
      return is(part.first.substr(0, part.first.rfind('.')));
    });
  };
  for (const auto& [parent, module] : modules) {
    if (cancellation.requested()) return groups;
    if (!changed.contains(parent)) continue;
    if (has(module, is_mlp_in) && has(module, is_mlp_out)) {
      groups.push_back(verify_neurons(parent, module, files));
    } else if (module.contains("q_proj.weight")) {
      groups.push_back(verify_heads(parent, module, heads, files));
    }
  }
  for (const auto& [layer, members] : experts) {
    if (cancellation.requested()) return groups;
    if (!changed.contains(layer + " experts")) continue;
    std::vector<const TensorChange*> routers;
    for (const char* name : {".gate", ".router"}) {
      const auto found = modules.find(layer);
      if (found == modules.end()) continue;
      for (const auto& [part, change] : found->second) {
        if (part.starts_with(std::string(name + 1) + ".")) {
          routers.push_back(change);
        }
      }
    }
    groups.push_back(verify_experts(layer, members, routers, files));
  }
  return groups;
}

LayerMoves find_layer_moves(const ModelDiff& diff) {
  // By layer, the digests of what it holds.
  using Print = std::map<std::string, std::string>;
  std::map<std::uint64_t, Print> old;
  std::map<std::uint64_t, Print> now;
  std::map<std::uint64_t, std::set<std::string>> names;
  bool has_all = true;
  for (const TensorChange& change : diff.tensors) {
    const std::optional<LayerName> place = layer_of(change.name);
    if (!place) continue;
    const auto add = [&](const std::optional<ViewTensor>& tensor, auto& side) {
      if (!tensor) return;
      const auto& digest = lookup_digest(*tensor);
      has_all = has_all && digest.has_value();
      if (!digest) return;
      side[place->layer][place->before + "#" + place->behind] =
          fmt::format("{} {} {}", digest->hex(), to_string(tensor->dtype),
                      shape_text(tensor->shape));
    };
    if (change.status == TensorStatus::not_compared || change.part_of ||
        !change.old_name.empty()) {
      has_all = false;
    }
    add(change.before, old);
    add(change.after, now);
    names[place->layer].insert(change.name);
  }
  LayerMoves moves;
  constexpr std::size_t kFewest = 2;
  if (!has_all || old.size() < kFewest || now.size() < kFewest) return moves;
  std::map<Print, std::vector<std::uint64_t>> places;
  for (const auto& [layer, print] : old) places[print].push_back(layer);
  std::map<std::uint64_t, std::uint64_t> from;
  bool is_moved = old.size() != now.size();
  for (const auto& [layer, print] : now) {
    const auto found = places.find(print);
    if (found == places.end()) continue;
    const auto& same = found->second;
    const bool stays = std::find(same.begin(), same.end(), layer) != same.end();
    from[layer] = stays ? layer : same.front();
    is_moved = is_moved || !stays;
  }
  const bool has_moved = std::ranges::any_of(
      from, [](const auto& m) { return m.first != m.second; });
  if (from.empty() || !is_moved || (!has_moved && from.size() != now.size())) {
    return moves;
  }
  moves.is_all = from.size() == now.size();
  std::set<std::uint64_t> used;
  for (const auto& [layer, source] : from) used.insert(source);
  moves.is_permutation =
      moves.is_all && used.size() == old.size() && now.size() == old.size();
  // Runs of layers that follow each other on both sides.
  for (auto at = from.begin(); at != from.end();) {
    auto last = at;
    for (auto next = std::next(last);
         next != from.end() && next->first == last->first + 1 &&
         next->second == last->second + 1;
         ++next) {
      last = next;
    }
    moves.words +=
        fmt::format("{}{} {} old {}", moves.words.empty() ? "" : ", ",
                    range_words(at->first, last->first),
                    at->first == last->first ? "is" : "are",
                    range_words(at->second, last->second));
    at = std::next(last);
  }
  std::string gone;
  std::size_t lost = 0;
  for (const auto& [layer, print] : old) {
    if (used.contains(layer)) continue;
    if (lost++ < 12)
      gone += fmt::format("{}{}", gone.empty() ? "" : ", ", layer);
  }
  if (lost > 0) {
    moves.words +=
        fmt::format("; old {} {} left out", gone + (lost > 12 ? ", …" : ""),
                    lost == 1 ? "is" : "are");
  }
  for (const auto& [layer, source] : from) {
    moves.tensors.insert(names[layer].begin(), names[layer].end());
  }
  // What stands in layers that are no more.
  for (const auto& [layer, print] : old) {
    if (!now.contains(layer)) {
      moves.tensors.insert(names[layer].begin(), names[layer].end());
    }
  }
  return moves;
}

}  // namespace impound
