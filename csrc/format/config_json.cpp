#include "format/config_json.h"

#include "core/error.h"
#include "format/json.h"

namespace cutaway::format {
namespace {

// A key repeats the names of the objects around it, so keys can be much longer together than the file.
constexpr size_t kMaxKeyBytes = 4 << 20;

class ConfigReader {
 public:
  ConfigReader(const std::string& source, const std::string& path) : source_(source), path_(path) {}

  std::vector<Metadata::Item> read() {
    pass(false);
    items_.reserve(n_items_);
    pass(true);
    return std::move(items_);
  }

 private:
  void pass(bool keep) {
    JsonReader json(source_, path_);
    if (keep) json.names_are_checked();
    n_items_ = key_bytes_ = 0;
    key_.clear();
    members(json, keep);
    json.end();
  }

  // The members of an object, each under the key of the object and its own name. False when there are none.
  bool members(JsonReader& json, bool keep) {
    bool any = false;
    json.object([&](const std::string& name) {
      any = true;
      const size_t outer = key_.size();
      if (outer > 0) key_ += '.';
      key_ += name;
      value(json, keep);
      key_.resize(outer);
    });
    return any;
  }

  void value(JsonReader& json, bool keep) {
    if (json.peek() == JsonKind::object) {
      if (members(json, keep)) return;
      return add(MetaValue{"object", false}, json, keep);
    }
    if (keep) return add(scalar_or_array(json), json, keep);
    json.skip();
    add({}, json, keep);
  }

  void add(MetaValue value, const JsonReader& json, bool keep) {
    ++n_items_;
    key_bytes_ += key_.size();
    if (key_bytes_ > kMaxKeyBytes) {
      json.fail(
          text("the keys, with the names of the objects around them, take more than {} bytes", kMaxKeyBytes));
    }
    if (keep) items_.emplace_back(key_, std::move(value));
  }

  static MetaValue scalar_or_array(JsonReader& json) {
    switch (json.peek()) {
      case JsonKind::string:
        return {"string", json.string()};
      case JsonKind::boolean:
        return {"bool", json.boolean()};
      case JsonKind::number:
        return number(json.number());
      case JsonKind::array:
        return array(json);
      default:
        json.null();
        return {"null", false};
    }
  }

  static MetaValue number(const JsonNumber& value) {
    if (const auto* i = std::get_if<int64_t>(&value)) return {"int", *i};
    if (const auto* u = std::get_if<uint64_t>(&value)) return {"int", *u};
    return {"float", std::get<double>(value)};
  }

  // How many elements of each kind an array has; looked up first, so that its vector is made once and of one
  // type.
  struct Census {
    size_t all = 0, strings = 0, booleans = 0, signed_integers = 0, unsigned_integers = 0, floats = 0;
  };
  static Census census(JsonReader json) {
    Census out;
    json.array([&] {
      ++out.all;
      const JsonKind kind = json.peek();
      if (kind == JsonKind::number) {
        const JsonNumber value = json.number();
        const size_t which = value.index();
        ++(which == 0 ? out.signed_integers : which == 1 ? out.unsigned_integers : out.floats);
        return;
      }
      out.strings += kind == JsonKind::string;
      out.booleans += kind == JsonKind::boolean;
      json.skip();
    });
    return out;
  }

  template <class T, class Element>
  static MetaValue collect(const char* type, JsonReader& json, size_t n, Element element) {
    std::vector<T> values;
    values.reserve(n);
    json.array([&] { values.push_back(element()); });
    return {type, std::move(values)};
  }

  static MetaValue array(JsonReader& json) {
    const Census is = census(json);
    const size_t n = is.all;
    if (n == 0) return collect<std::string>("array[]", json, 0, [&] { return json.string(); });
    if (is.strings == n) return collect<std::string>("array[string]", json, n, [&] { return json.string(); });
    if (is.booleans == n) return collect<bool>("array[bool]", json, n, [&] { return json.boolean(); });
    if (is.signed_integers == n) {
      return collect<int64_t>("array[int]", json, n, [&] { return std::get<int64_t>(json.number()); });
    }
    if (is.floats > 0 && is.floats + is.signed_integers + is.unsigned_integers == n) {
      return collect<double>("array[float]", json, n, [&] {
        return std::visit([](auto v) { return static_cast<double>(v); }, json.number());
      });
    }
    return {"json", std::string(json.raw())};
  }

  const std::string& source_;
  const std::string& path_;
  std::string key_;  // of the value being read
  std::vector<Metadata::Item> items_;
  size_t n_items_ = 0, key_bytes_ = 0;
};

}  // namespace

Metadata read_config(const std::string& path) {
  const std::string source = read_json_text(File(path));
  Metadata out(path);
  out.adopt(ConfigReader(source, path).read());
  return out;
}

}  // namespace cutaway::format
