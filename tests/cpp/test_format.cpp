// Checkpoints as the rest of the engine sees them: typed metadata, the tensor directory, reading bytes.
#include <cmath>

#include "format/ggml_types.h"
#include "format_files.h"

namespace cutaway::testing {
namespace {

MetaValue value_of(const char* type, decltype(MetaValue::value) value) { return {type, std::move(value)}; }

template <class Call>
void expect_error(Call call, std::initializer_list<const char*> parts) {
  try {
    call();
    FAIL() << "nothing was raised";
  } catch (const FormatError& error) {
    for (const char* part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Metadata, GettersConvertWhatIsExactAndRefuseTheRest) {
  Metadata m("model.gguf");
  m.add("u", value_of("u32", uint64_t{7}));
  m.add("i", value_of("i32", int64_t{-7}));
  m.add("f", value_of("f32", 0.5));
  m.add("nan", value_of("f32", std::nan("")));
  m.add("b", value_of("bool", true));
  m.add("s", value_of("string", std::string("x\xff")));
  m.add("us", value_of("array[u64]", std::vector<uint64_t>{1, UINT64_MAX}));
  m.add("is", value_of("array[i8]", std::vector<int64_t>{-1, 2}));
  m.add("fs", value_of("array[f32]", std::vector<double>{1.5}));
  m.add("ss", value_of("array[string]", std::vector<std::string>{"a", ""}));
  m.add("none", value_of("array[]", std::vector<std::string>{}));
  m.add("null", value_of("null", false));

  EXPECT_EQ(m.u64("u"), 7u);
  EXPECT_EQ(m.number("u"), 7.0);
  EXPECT_EQ(m.number("i"), -7.0);
  EXPECT_EQ(m.number("f"), 0.5);
  EXPECT_EQ(m.boolean("b"), true);
  EXPECT_EQ(m.string("s"), "x\xff");
  EXPECT_EQ(m.integers("is"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(m.numbers("is"), (std::vector<double>{-1, 2}));
  EXPECT_EQ(m.numbers("fs"), (std::vector<double>{1.5}));
  EXPECT_EQ(*m.strings("ss"), (std::vector<std::string>{"a", ""}));
  EXPECT_TRUE(m.strings("none")->empty() && m.integers("none")->empty() && m.numbers("none")->empty());

  EXPECT_FALSE(m.u64("absent") || m.boolean("absent") || m.number("absent") || m.string("absent"));
  EXPECT_FALSE(m.integers("absent") || m.numbers("absent") || m.strings("absent"));
  EXPECT_FALSE(m.has("null") || m.u64("null"));

  expect_error([&] { m.u64("i"); }, {"model.gguf", "'i'", "-7", ">= 0"});
  expect_error([&] { m.u64("f"); }, {"model.gguf", "'f'", "f32", "an integer"});
  expect_error([&] { m.number("nan"); }, {"model.gguf", "'nan'", "finite"});
  expect_error([&] { m.number("s"); }, {"'s'", "string", "a number"});
  expect_error([&] { m.boolean("u"); }, {"'u'", "u32", "a bool"});
  expect_error([&] { m.string("ss"); }, {"'ss'", "array[string]", "a string"});
  expect_error([&] { m.strings("s"); }, {"'s'", "string", "an array of strings"});
  expect_error([&] { m.integers("us"); }, {"'us'", "18446744073709551615", "2^63"});
  expect_error([&] { m.integers("fs"); }, {"'fs'", "array[f32]", "an array of integers"});
  expect_error([&] { m.numbers("ss"); }, {"'ss'", "array[string]", "an array of numbers"});
}

TEST(Metadata, UnreadKeysAreThoseNobodyAskedFor) {
  Metadata m("f");
  for (const char* key : {"c", "a", "b", "d"}) m.add(key, value_of("u8", uint64_t{1}));
  m.add("null", value_of("null", false));
  m.u64("a");
  EXPECT_TRUE(m.has("d"));
  m.find("absent");
  EXPECT_EQ(m.unread(), (std::vector<std::string>{"c", "b"}));
}

TEST(Metadata, DuplicateAndEmptyKeysAreRefused) {
  Metadata m("f.gguf");
  m.add("k", value_of("u8", uint64_t{1}));
  expect_error([&] { m.add("k", value_of("u8", uint64_t{1})); }, {"f.gguf", "'k'", "twice"});
  expect_error([&] { m.add("", value_of("u8", uint64_t{1})); }, {"f.gguf", "empty"});
  expect_error([] { Metadata("g").adopt({{"x", {}}, {"k", {}}, {"x", {}}}); }, {"g", "'x'", "twice"});
}

TEST(Checkpoint, GgufKeepsEveryValueAndPlace) {
  size_t header = 0;
  const TempFile file("sample.gguf", sample_gguf(&header));
  const Checkpoint c = open_checkpoint(file.path());
  EXPECT_EQ(c.format, "gguf");
  EXPECT_EQ(c.version, 3);
  EXPECT_EQ(c.path, file.path());
  EXPECT_EQ(c.files, std::vector<std::string>{file.path()});
  EXPECT_EQ(c.metadata.items().size(), 17u);
  EXPECT_EQ(c.metadata.u64("a.u64"), UINT64_MAX);
  EXPECT_EQ(std::get<int64_t>(c.metadata.find("a.i64")->value), INT64_MIN);
  EXPECT_EQ(c.metadata.number("a.f32"), double{0.1f});
  EXPECT_EQ(c.metadata.find("b.bools")->type, "array[bool]");
  EXPECT_EQ(*c.metadata.strings("b.strings"), (std::vector<std::string>{"one", "", "\xff\xfe"}));

  ASSERT_EQ(c.tensors.size(), 3u);
  const TensorInfo* cube = c.find("cube");
  ASSERT_NE(cube, nullptr);
  EXPECT_EQ(cube->shape, (std::vector<int64_t>{5, 1, 2}));
  EXPECT_EQ(cube->type, "F16");
  EXPECT_EQ(cube->bytes, 20u);
  EXPECT_EQ(cube->offset, header + 128);
  EXPECT_EQ(c.find("w")->type, "Q4_1");
  EXPECT_EQ(c.find("w")->bytes, 40u);
  EXPECT_EQ(c.find("cub"), nullptr);
  EXPECT_EQ(c.find(""), nullptr);

  char bytes[4] = {};
  c.read(*cube, 18, 2, bytes);
  EXPECT_EQ(std::string_view(bytes), "cc");
  EXPECT_THROW(c.read(*cube, 18, 3, bytes), ArgumentError);
  EXPECT_THROW(c.read(*cube, UINT64_MAX, 2, bytes), ArgumentError);
}

TEST(Checkpoint, ReadingAfterTheFileShrankOrWasClosedIsAnError) {
  size_t header = 0;
  const TempFile file("sample.gguf", sample_gguf(&header));
  Checkpoint c = open_checkpoint(file.path());
  const TensorInfo* cube = c.find("cube");
  std::vector<char> bytes(cube->bytes);
  file.truncate(cube->offset + 3);
  expect_error([&] { c.read(*cube, 0, cube->bytes, bytes.data()); },
               {"sample.gguf", "changed while it was read"});
  c.read(*cube, 0, 3, bytes.data());
  c.close();
  expect_error([&] { c.read(*cube, 0, 3, bytes.data()); }, {"sample.gguf", "closed", "cube"});
}

TEST(Checkpoint, MovesKeepTheDirectory) {
  size_t header = 0;
  const TempFile file("sample.safetensors", sample_safetensors(&header));
  Checkpoint c = open_checkpoint(file.path());
  Checkpoint moved = std::move(c);
  const TensorInfo* w = moved.find("w");
  ASSERT_NE(w, nullptr);
  std::string bytes(w->bytes, '\0');
  moved.read(*w, 0, w->bytes, bytes.data());
  EXPECT_EQ(bytes, std::string(24, 'd'));
  EXPECT_EQ(moved.metadata.string("note"), "\xc3\xa9 \xf0\x9f\x98\x80 \"x\"");
  EXPECT_EQ(moved.find("none")->bytes, 0u);
}

TEST(GgmlTypes, NamesAndIdsAreUnique) {
  for (const GgmlType& type : ggml_types()) {
    EXPECT_EQ(ggml_type(type.id), &type) << type.name;
    EXPECT_EQ(ggml_type(std::string_view(type.name)), &type) << type.name;
  }
  EXPECT_EQ(ggml_type(4u), nullptr);
  EXPECT_EQ(ggml_type("Q4_2"), nullptr);
}

}  // namespace
}  // namespace cutaway::testing
