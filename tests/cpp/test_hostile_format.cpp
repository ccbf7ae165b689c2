// Broken files: whatever a file says, it is read or refused with a FormatError that names it. Built with the
// asan preset, this is also the proof that no byte is read outside a buffer and nothing overflows.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include "alloc_peak.h"
#include "format_files.h"

namespace cutaway::testing {
namespace {

// Every file shorter than `needed` is refused, every other accepted.
void truncate_everywhere(const std::string& name, const std::string& content, size_t needed) {
  const TempFile file(name, content);
  for (size_t size = content.size() + 1; size-- > 0;) {
    file.truncate(size);
    const std::string message = refusal(file.path());
    ASSERT_EQ(message.empty(), size >= needed) << name << " cut to " << size << ": " << message;
    if (!message.empty()) { ASSERT_EQ(message.rfind(file.path(), 0), 0u) << message; }
  }
}

TEST(HostileFormat, GgufTruncatedAtEveryByte) {
  size_t header = 0;
  const std::string content = sample_gguf(&header);
  truncate_everywhere("cut.gguf", content, content.size());
}

TEST(HostileFormat, GgufWithoutTensorsTruncatedAtEveryByte) {
  const std::string content = gguf_head(0, 1).str("k").u32(kArray).u32(kString).u64(2).str("ab").str("").s;
  truncate_everywhere("cut.gguf", content, content.size());
}

TEST(HostileFormat, SafetensorsTruncatedAtEveryByte) {
  size_t header = 0;
  const std::string content = sample_safetensors(&header);
  truncate_everywhere("cut.safetensors", content, content.size());
}

// Flips each bit of the first `header` bytes. Some flips are legal (a letter of a name); all others are
// refused.
void flip_everywhere(const std::string& name, const std::string& content, size_t header) {
  const TempFile file(name, content);
  size_t accepted = 0;
  for (size_t byte = 0; byte < header; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      const char flipped = static_cast<char>(content[byte] ^ (1 << bit));
      file.overwrite(byte, {&flipped, 1});
      const std::string message = refusal(file.path());
      accepted += message.empty();
      if (!message.empty()) { ASSERT_EQ(message.rfind(file.path(), 0), 0u) << message; }
    }
    file.overwrite(byte, {&content[byte], 1});
  }
  EXPECT_EQ(refusal(file.path()), "");
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, header * 8 / 2);
}

TEST(HostileFormat, GgufEveryHeaderBitFlipped) {
  size_t header = 0;
  const std::string content = sample_gguf(&header);
  flip_everywhere("flip.gguf", content, header);
}

TEST(HostileFormat, SafetensorsEveryHeaderBitFlipped) {
  size_t header = 0;
  const std::string content = sample_safetensors(&header);
  flip_everywhere("flip.safetensors", content, header);
}

TEST(HostileFormat, ConfigEveryBitFlippedAndTruncated) {
  size_t ignored = 0;
  const TempFile weights("model.safetensors", sample_safetensors(&ignored));
  const std::string path = weights.folder() + "/config.json";
  const std::string content =
      R"({"a":{"b":[1,-2.5e3],"c":null},"s":["x","\ud83d\ude00"],"t":true,"j":[[1],{}]})";
  const auto put = [&](std::string_view text) {
    std::filesystem::remove(path);
    std::filesystem::rename(TempFile("config.json", text).path(), path);
  };
  put(content);
  EXPECT_EQ(refusal(weights.folder()), "");
  for (size_t size = 0; size < content.size(); ++size) {
    put(std::string_view(content).substr(0, size));
    expect_refused(weights.folder(), "config.json");
  }
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string flipped = content;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    put(flipped);
    refusal(weights.folder());  // must not crash, nor throw anything else
  }
}

// Numbers that overflow when they are multiplied, rounded up or added, in every place of the header that
// holds one.
TEST(HostileFormat, ExtremeNumbersEverywhereInTheHeader) {
  const uint64_t extremes[] = {0,
                               1,
                               0x7F,
                               0xFFFF,
                               0x7FFFFFFF,
                               0xFFFFFFFF,
                               1ull << 32,
                               1ull << 59,
                               1ull << 60,
                               1ull << 61,
                               (1ull << 63) - 1,
                               1ull << 63,
                               UINT64_MAX,
                               UINT64_MAX - 7,
                               UINT64_MAX - 31,
                               UINT64_MAX / 2,
                               UINT64_MAX / 3,
                               UINT64_MAX / 18};
  size_t header = 0;
  const std::string content = sample_gguf(&header);
  const TempFile file("extreme.gguf", content);
  for (size_t at = 4; at + 8 <= header; ++at) {
    for (const uint64_t extreme : extremes) {
      for (const size_t width : {size_t{4}, size_t{8}}) {
        file.overwrite(at, {reinterpret_cast<const char*>(&extreme), width});
        refusal(file.path());  // must not crash, nor throw anything else
        file.overwrite(at, std::string_view(content).substr(at, width));
      }
    }
  }
  EXPECT_EQ(refusal(file.path()), "");
}

// Pieces copied, moved, cut out, doubled and overwritten, several at a time.
void mutate(const std::string& name, const std::string& content, size_t header, int rounds) {
  const TempFile file(name, content);
  std::mt19937_64 random(7);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string changed = content;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      const size_t from = random() % header, to = random() % header, n = 1 + random() % 24;
      switch (random() % 4) {
        case 0:
          changed.erase(std::min(from, changed.size()), n);
          break;
        case 1:
          changed.insert(std::min(to, changed.size()), content, from, n);
          break;
        case 2:
          changed.replace(std::min(to, changed.size()), n, content, from, n);
          break;
        default:
          changed.replace(std::min(to, changed.size()), 1, 1, static_cast<char>(random()));
          break;
      }
    }
    file.write(changed);
    accepted += refusal(file.path()).empty();
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, rounds / 2);
}

TEST(HostileFormat, SeededMutations) {
  size_t header = 0;
  const std::string gguf = sample_gguf(&header);
  mutate("mutated.gguf", gguf, header, 1500);
  const std::string safetensors = sample_safetensors(&header);
  mutate("mutated.safetensors", safetensors, header, 1500);
}

// Bit flips in the headers of real models, where $CUTAWAY_TEST_MODELS points to them. The file is sparse
// behind the header. tests/python/test_hostile_models.py does 10,000; a sanitizer build is slower.
TEST(HostileFormat, SeededFlipsInRealHeaders) {
  const char* folder = std::getenv("CUTAWAY_TEST_MODELS");
  if (!folder) GTEST_SKIP() << "set CUTAWAY_TEST_MODELS to a folder with smollm2.gguf and gemma3.gguf";
  for (const char* name : {"smollm2.gguf", "gemma3.gguf"}) {
    const std::string path = std::string(folder) + "/" + name;
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
    const Checkpoint model = open_checkpoint(path);
    const size_t header = model.tensors[0].offset;
    std::string content(header, '\0');
    std::FILE* source = std::fopen(path.c_str(), "rb");
    ASSERT_EQ(std::fread(content.data(), 1, header, source), header);
    std::fclose(source);
    const TempFile file(name, content);
    file.truncate(std::filesystem::file_size(path));
    std::mt19937_64 random(3);
    for (int i = 0; i < 150; ++i) {
      // Half of them where structure is dense: the first keys and the tensor directory.
      const size_t dense = i % 4 == 0 ? random() % 1000 : header - 1 - random() % 16000;
      const size_t byte = i % 2 == 0 ? dense : random() % header;
      const char flipped = static_cast<char>(content[byte] ^ (1 << random() % 8));
      file.overwrite(byte, {&flipped, 1});
      try {
        open_checkpoint(file.path());
      } catch (const FormatError& error) {
        EXPECT_EQ(std::string_view(error.what()).rfind(file.path(), 0), 0u) << error.what();
      }
      file.overwrite(byte, {&content[byte], 1});
    }
  }
}

// --- Memory: at most 16 times the header and 16 MiB, for whatever is in it
// -------------------------------------------

struct Packed {
  const char* name;
  std::string content;
};

Bytes numbered_keys(uint64_t n, bool with_array) {
  Bytes out = gguf_head(0, n);
  for (uint64_t i = 0; i < n; ++i) {
    std::string key;
    for (uint64_t rest = i, digits = 0; digits < 3; ++digits, rest /= 94)
      key += static_cast<char>('!' + rest % 94);
    out.str(key).u32(with_array ? kArray : kU8);
    with_array ? out.u32(kString).u64(1).str("") : out.put<uint8_t>(1);
  }
  return out;
}

std::vector<Packed> costly_files() {
  constexpr uint64_t n = 500'000;
  std::vector<Packed> out;
  Bytes strings = gguf_head(0, 1).str("k").u32(kArray).u32(kString).u64(n);
  Bytes long_strings = strings;
  for (uint64_t i = 0; i < n; ++i) strings.u64(0), long_strings.str("0123456789abcdef");
  out.push_back({"empty_strings.gguf", strings.s});
  out.push_back({"strings_just_too_long_for_their_place.gguf", long_strings.s});
  out.push_back(
      {"bytes.gguf", gguf_head(0, 1).str("k").u32(kArray).u32(kU8).u64(4 * n).raw(std::string(4 * n, 1)).s});
  out.push_back({"bools.gguf",
                 gguf_head(0, 1).str("k").u32(kArray).u32(kBool).u64(4 * n).raw(std::string(4 * n, 1)).s});
  out.push_back({"keys.gguf", numbered_keys(n, false).s});
  out.push_back({"arrays.gguf", numbered_keys(n / 2, true).s});
  Bytes tensors = gguf_head(n / 5, 1).str("general.alignment").u32(kU32).u32(1);
  for (uint64_t i = 0; i < n / 5; ++i) tensors.str(std::to_string(i)).u32(1).u64(1).u32(24).u64(i);
  out.push_back({"tensors.gguf", tensors.raw(std::string(n / 5, 'x')).s});

  const auto joined = [](std::string_view open, uint64_t count, auto item, std::string_view close) {
    std::string text(open);
    for (uint64_t i = 0; i < count; ++i) text += (i ? "," : "") + item(i);
    return text.append(close);
  };
  const auto quoted = [](uint64_t i) { return "\"" + std::to_string(i) + "\""; };
  const auto as_header = [](const std::string& header) { return Bytes().str(header).s; };
  out.push_back(
      {"metadata.safetensors",
       as_header(joined("{\"__metadata__\":{", n, [&](uint64_t i) { return quoted(i) + ":\"\""; }, "}}"))});
  out.push_back(
      {"tensors.safetensors",
       as_header(joined(
           "{", n / 5,
           [&](uint64_t i) { return quoted(i) + R"(:{"dtype":"F4","shape":[0],"data_offsets":[0,0]})"; },
           "}"))});
  out.push_back({"shape.safetensors", as_header(joined(
                                          R"({"w":{"dtype":"F4","data_offsets":[0,0],"shape":[)", n,
                                          [](uint64_t) { return std::string("0"); }, "]}}"))});
  return out;
}

std::vector<Packed> costly_configs() {
  constexpr uint64_t n = 500'000;
  std::vector<Packed> out;
  const auto list = [&](const std::string& item) {
    std::string text = "{\"k\":[" + item;
    for (uint64_t i = 1; i < n; ++i) text += "," + item;
    return text + "]}";
  };
  const auto object = [&](const std::string& open, uint64_t count, const std::string& value,
                          const std::string& close) {
    std::string text = open;
    for (uint64_t i = 0; i < count; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + value;
    return text + close;
  };
  out.push_back({"zeros", list("0")});
  out.push_back({"empty strings", list("\"\"")});
  out.push_back({"mixed", list("[]")});
  out.push_back({"keys", object("{", n, "0", "}")});
  out.push_back({"escaped keys", object("{\"\\u0061\":{", n, "0", "}}")});
  out.push_back({"a long name around many", object("{\"" + std::string(n, 'p') + "\":{", n / 4, "0", "}}")});
  return out;
}

void expect_modest(const std::string& path, const std::string& name, size_t header) {
  const AllocPeak peak;
  refusal(path);
  // Without a count, bytes() is 0 and only the reading is tested.
  EXPECT_LE(peak.bytes(), 16 * header + (16u << 20)) << name << ", " << header << " bytes";
}

TEST(HostileFormat, MemoryStaysInProportionToTheHeader) {
  for (const Packed& packed : costly_files()) {
    const TempFile file(packed.name, packed.content);
    expect_modest(file.path(), packed.name, packed.content.size());
  }
}

TEST(HostileFormat, MemoryStaysInProportionToConfig) {
  size_t ignored = 0;
  const TempFile weights("model.safetensors", sample_safetensors(&ignored));
  for (const Packed& packed : costly_configs()) {
    std::ofstream(weights.folder() + "/config.json") << packed.content;
    expect_modest(weights.folder(), packed.name, packed.content.size());
  }
}

// A claim costs nothing: the file is large (sparse), its header is not.
TEST(HostileFormat, ClaimsInALargeFileAllocateNothing) {
  const uint64_t gib = 1ull << 30;
  const Packed claims[] = {
      {"string", gguf_head(0, 2).str("k").u32(kString).u64(gib).s},
      {"array of strings",
       gguf_head(0, 2).str("k").u32(kArray).u32(kString).u64(gib / 8).str(std::string(9, '\xff')).u64(-1).s},
      {"array of numbers", gguf_head(0, 2).str("k").u32(kArray).u32(kU8).u64(gib).s},
      {"keys", gguf_head(0, gib / 16).str("k").u32(kU8).put<uint8_t>(0).str("k").u32(99).s},
      {"tensors", gguf_head(gib / 64, 0).str("t").u32(9).s},
      {"name", gguf_head(1, 0).u64(gib).s},
  };
  for (const Packed& claim : claims) {
    const TempFile file("claim.gguf", claim.content);
    file.truncate(2 * gib);
    const AllocPeak peak;
    EXPECT_NE(refusal(file.path()), "") << claim.name;
    EXPECT_LE(peak.bytes(), 1u << 20) << claim.name;
  }
}

}  // namespace
}  // namespace cutaway::testing
