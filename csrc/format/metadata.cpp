// Typed look-ups in a checkpoint's metadata. A file may say anything under any key: every getter checks.
#include <cmath>

#include "core/error.h"
#include "format/checkpoint.h"
#include "format/names.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

using format::shown;

auto key_of(const std::vector<Metadata::Item>& items) {
  return [&items](uint32_t i) -> const std::string& { return items[i].first; };
}

bool absent(const MetaValue& value) { return value.type == "null" || value.type == "object"; }
bool empty_array(const MetaValue& value) { return value.type == "array[]"; }

[[noreturn]] void wrong_type(const std::string& path, const std::string& key, const MetaValue& found,
                             const char* expected) {
  throw FormatError(
      text("{}: key '{}' has the type {}, expected {}; the file is damaged or was converted by a faulty "
           "tool",
           shown(path), shown(key), found.type, expected));
}

template <class To, class From>
std::vector<To> widen(const std::vector<From>& from) {
  return std::vector<To>(from.begin(), from.end());
}

}  // namespace

void Metadata::add(std::string key, MetaValue value) {
  if (key.empty()) throw FormatError(text("{}: a key is empty; each must have a name", shown(path_)));
  const auto at = format::name_position(order_, key, key_of(items_));
  if (at != order_.end() && items_[*at].first == key) {
    throw FormatError(text("{}: key '{}' is there twice; each key must be unique", shown(path_), shown(key)));
  }
  order_.insert(at, static_cast<uint32_t>(items_.size()));
  items_.emplace_back(std::move(key), std::move(value));
  read_.push_back(false);
}

void Metadata::adopt(std::vector<Item> items) {
  items_ = std::move(items);
  order_ = format::sort_names(items_.size(), key_of(items_));
  read_.assign(items_.size(), false);
  if (!order_.empty() && items_[order_[0]].first.empty()) {
    throw FormatError(text("{}: key number {} is empty; each must have a name", shown(path_), order_[0]));
  }
  if (const auto twin = format::find_duplicate(order_, key_of(items_))) {
    throw FormatError(text("{}: key '{}' is there twice; each key must be unique", shown(path_),
                           shown(items_[*twin].first)));
  }
}

const MetaValue* Metadata::find(const std::string& key) const {
  const auto at = format::find_name(order_, key, key_of(items_));
  if (!at || absent(items_[*at].second)) return nullptr;
  read_[*at] = true;
  return &items_[*at].second;
}

std::optional<bool> Metadata::boolean(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  if (const bool* value = std::get_if<bool>(&found->value)) return *value;
  wrong_type(path_, key, *found, "a bool");
}

std::optional<uint64_t> Metadata::u64(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  if (const uint64_t* value = std::get_if<uint64_t>(&found->value)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&found->value)) {
    if (*value >= 0) return static_cast<uint64_t>(*value);
    throw FormatError(text("{}: key '{}' is {}, expected an integer >= 0", shown(path_), shown(key), *value));
  }
  wrong_type(path_, key, *found, "an integer >= 0");
}

std::optional<double> Metadata::number(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  if (const uint64_t* value = std::get_if<uint64_t>(&found->value)) return static_cast<double>(*value);
  if (const int64_t* value = std::get_if<int64_t>(&found->value)) return static_cast<double>(*value);
  const double* value = std::get_if<double>(&found->value);
  if (!value) wrong_type(path_, key, *found, "a number");
  if (!std::isfinite(*value)) {
    throw FormatError(text("{}: key '{}' is {}, expected a finite number", shown(path_), shown(key), *value));
  }
  return *value;
}

std::optional<std::string> Metadata::string(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  const std::string* value = std::get_if<std::string>(&found->value);
  if (!value || found->type != "string") wrong_type(path_, key, *found, "a string");
  return *value;
}

const std::vector<std::string>* Metadata::strings(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return nullptr;
  const auto* value = std::get_if<std::vector<std::string>>(&found->value);
  if (!value) wrong_type(path_, key, *found, "an array of strings");
  return value;
}

std::optional<std::vector<int64_t>> Metadata::integers(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  if (empty_array(*found)) return std::vector<int64_t>{};
  if (const auto* value = std::get_if<std::vector<int64_t>>(&found->value)) return *value;
  const auto* value = std::get_if<std::vector<uint64_t>>(&found->value);
  if (!value) wrong_type(path_, key, *found, "an array of integers");
  for (size_t i = 0; i < value->size(); ++i) {
    if ((*value)[i] > static_cast<uint64_t>(INT64_MAX)) {
      throw FormatError(text("{}: key '{}' holds {} at index {}, expected integers up to 2^63 - 1",
                             shown(path_), shown(key), (*value)[i], i));
    }
  }
  return widen<int64_t>(*value);
}

std::optional<std::vector<double>> Metadata::numbers(const std::string& key) const {
  const MetaValue* found = find(key);
  if (!found) return std::nullopt;
  if (empty_array(*found)) return std::vector<double>{};
  if (const auto* value = std::get_if<std::vector<double>>(&found->value)) return *value;
  if (const auto* value = std::get_if<std::vector<int64_t>>(&found->value)) return widen<double>(*value);
  if (const auto* value = std::get_if<std::vector<uint64_t>>(&found->value)) return widen<double>(*value);
  wrong_type(path_, key, *found, "an array of numbers");
}

std::vector<std::string> Metadata::unread() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < items_.size(); ++i) {
    if (!read_[i] && !absent(items_[i].second)) out.push_back(items_[i].first);
  }
  return out;
}

}  // namespace cutaway
