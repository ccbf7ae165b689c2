#include "tokenizer/hf/processor.h"

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/hf/kinds.h"

namespace cutaway::hf {
namespace {

constexpr Kind<void (*)(const Part&, Around&)> kKinds[] = {
#define PROCESSOR(function, type) {type, &read_processor_##function},
#include "tokenizer/hf/processors.def"
#undef PROCESSOR
};

int32_t token_id(const Part& part, uint64_t id) {
  if (id > INT32_MAX) part.fail(text("has the token id {}, expected at most {}", id, INT32_MAX));
  return static_cast<int32_t>(id);
}

// ["</s>", 2]
int32_t token_of(const Part& part, std::string_view name) {
  format::JsonReader pair = part.reader(name);
  int n = 0;
  int32_t id = 0;
  pair.array([&] {
    if (n == 0) pair.string();
    if (n == 1) id = token_id(part, pair.unsigned_integer("a token id"));
    if (++n > 2) pair.fail("more than a token and its id");
  });
  if (n != 2) pair.fail("expected a token and its id");
  return id;
}

void wrap(Around& around, const std::vector<int32_t>& before, const std::vector<int32_t>& after) {
  around.before.insert(around.before.begin(), before.begin(), before.end());
  around.after.insert(around.after.end(), after.begin(), after.end());
}

std::vector<int32_t> ids_of(const Part& part) {
  std::vector<int32_t> ids;
  format::JsonReader list = part.reader("ids");
  list.array([&] { ids.push_back(token_id(part, list.unsigned_integer("a token id"))); });
  part.ignore("id");
  part.ignore("tokens");
  part.end();
  return ids;
}

}  // namespace

void read_processor(const Part& part, Around& around) {
  maker_of(part, part.type(), kKinds, "post-processor")(part, around);
  part.end();
}

void read_processor_template(const Part& part, Around& around) {
  const Part tokens = part.part("special_tokens");
  std::vector<int32_t> before, after;
  int texts = 0;
  for (const Part& item : part.parts("single")) {
    const bool is_text = item.has("Sequence");
    const Part inner = item.part(is_text ? "Sequence" : "SpecialToken");
    const std::string id = inner.string("id");
    inner.ignore("type_id");
    inner.end();
    item.end();
    if (is_text) {
      if (id != "A")
        inner.fail(text("member 'id' is '{}', expected A: the template is for one text", format::shown(id)));
      ++texts;
      continue;
    }
    if (!tokens.has(id))
      inner.fail(text("the token '{}' is not among the 'special_tokens'", format::shown(id)));
    for (const int32_t one : ids_of(tokens.part(id))) (texts ? after : before).push_back(one);
  }
  if (texts != 1) part.unsupported(text("member 'single' has the text {} times, expected once", texts));
  part.ignore("pair");
  wrap(around, before, after);
}

void read_processor_bert(const Part& part, Around& around) {
  wrap(around, {token_of(part, "cls")}, {token_of(part, "sep")});
}

void read_processor_roberta(const Part& part, Around& around) {
  part.boolean("trim_offsets");
  part.boolean("add_prefix_space");
  read_processor_bert(part, around);
}

void read_processor_byte_level(const Part& part, Around&) {
  part.boolean("trim_offsets");
  part.boolean("add_prefix_space");
  part.boolean("use_regex", true);
}

void read_processor_sequence(const Part& part, Around& around) {
  for (const Part& one : part.parts("processors")) read_processor(one, around);
}

}  // namespace cutaway::hf
