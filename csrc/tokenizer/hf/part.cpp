#include "tokenizer/hf/part.h"

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/unicode.h"

namespace cutaway::hf {

using format::JsonKind;
using format::JsonReader;
using format::shown;

Part::Part(const Source& source, std::string_view json, std::string place)
    : source_(&source), place_(std::move(place)) {
  JsonReader reader(json, source.path, json.data() - source.text.data());
  reader.names_are_checked();  // by whoever looked at the whole text first
  if (reader.peek() != JsonKind::object) {
    fail(text("is {}, expected an object", format::name_of(reader.peek())));
  }
  reader.object([&](const std::string& name) { members_.push_back({name, reader.raw()}); });
}

const Part::Member* Part::find(std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name) {
      member.read = true;
      return &member;
    }
  }
  return nullptr;
}

bool Part::has(std::string_view name) const {
  const Member* member = find(name);
  return member && member->json != "null";
}

const Part::Member& Part::get(std::string_view name) const {
  const Member* member = find(name);
  if (!member || member->json == "null") fail(text("member '{}' is missing", name));
  return *member;
}

JsonReader Part::at(const Member& member) const {
  JsonReader reader(member.json, source_->path, member.json.data() - source_->text.data());
  reader.names_are_checked();
  return reader;
}

std::string Part::below(std::string_view name) const {
  return place_.empty() ? std::string(name) : place_ + "." + std::string(name);
}

JsonReader Part::reader(std::string_view name) const { return at(get(name)); }
std::string Part::string(std::string_view name) const { return reader(name).string(); }
std::string Part::string(std::string_view name, std::string_view fallback) const {
  return has(name) ? string(name) : std::string(fallback);
}
std::optional<std::string> Part::optional_string(std::string_view name) const {
  return has(name) ? std::optional(string(name)) : std::nullopt;
}

char32_t Part::character(std::string_view name) const {
  const std::string given = string(name);
  const Utf8Step step = given.empty() ? Utf8Step{} : utf8_step(given, 0);
  if (given.empty() || step.bytes != given.size()) {
    fail(text("member '{}' is '{}', expected one character", name, shown(given)));
  }
  return step.cp;
}

bool Part::boolean(std::string_view name) const { return reader(name).boolean(); }
bool Part::boolean(std::string_view name, bool fallback) const {
  return has(name) ? boolean(name) : fallback;
}

uint64_t Part::integer(std::string_view name) const {
  return reader(name).unsigned_integer(below(name).c_str());
}

double Part::number(std::string_view name) const {
  return std::visit([](auto value) { return static_cast<double>(value); }, reader(name).number());
}

Part Part::part(std::string_view name) const { return Part(*source_, get(name).json, below(name)); }

std::vector<Part> Part::parts(std::string_view name) const {
  std::vector<Part> out;
  JsonReader items = reader(name);
  items.array([&] { out.emplace_back(*source_, items.raw(), text("{}[{}]", below(name), out.size())); });
  return out;
}

void Part::ignore(std::string_view name) const { find(name); }

void Part::end() const {
  for (const Member& member : members_) {
    if (!member.read) {
      unsupported(
          text("has the member '{}', which is not known; it might change the ids", shown(member.name)));
    }
  }
}

std::string Part::type() const { return has("type") ? string("type") : ""; }

void Part::fail(std::string_view problem) const {
  throw FormatError(text("{}: {}{}{}", source_->path, place_, place_.empty() ? "" : ": ", problem));
}
void Part::unsupported(std::string_view problem) const {
  throw UnsupportedError(text("{}: {}{}{}", source_->path, place_, place_.empty() ? "" : ": ", problem));
}

}  // namespace cutaway::hf
