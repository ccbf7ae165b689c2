// Pack files from below: the hash, the header that believes nothing, the image that is the same for every
// instruction set, number of threads and destination.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <set>

#include "core/mapping.h"
#include "core/sha256.h"
#include "format/ggml_types.h"
#include "format_files.h"
#include "kernel_data.h"
#include "model/pack_file.h"
#include "model/pack_header.h"

namespace cutaway::testing {
namespace {

TEST(Sha256, TheStandardsExamples) {  // FIPS 180-4's examples, and lengths around the padding's edge
  EXPECT_EQ(hex(Sha256().digest()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(Sha256().add("abc").digest()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(Sha256().add("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").digest()),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(Sha256().add(std::string(1000000, 'a')).digest()),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (size_t n : {55, 56, 63, 64, 119, 120, 128}) {
    const std::string s(n, 'x');
    Sha256 by_byte;
    for (char c : s) by_byte.number(c);
    EXPECT_EQ(by_byte.digest(), Sha256().add(s).digest()) << n;
  }
}

PackHeader some_header() {
  PackHeader h;
  h.identity = std::string(32, '\x5a');
  h.boot = "boot";
  h.model = "/models/m.gguf";
  h.sources = {{"/models/m.gguf", {123, 456, 789, 10}}, {"/models/n.gguf", {1, 2, 3, 4}}};
  h.bytes = 8192;
  h.tensors = {{"a", "Q8_0", 16, 32, 0, 0, 576}, {"b", "F32", 1, 7, 99, 4096, 448}};
  return h;
}

TEST(PackHeader, IsReadAsItWasWritten) {
  PackHeader h = some_header();
  const std::string bytes = encode_pack(h);
  EXPECT_EQ(h.begin, kPackRoom);
  const auto back = decode_pack(bytes, h.begin + h.bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->identity, h.identity);
  EXPECT_EQ(back->boot, h.boot);
  EXPECT_EQ(back->model, h.model);
  EXPECT_EQ(back->sources, h.sources);
  EXPECT_EQ(back->tensors, h.tensors);
  EXPECT_EQ(back->begin, h.begin);
  EXPECT_EQ(back->bytes, h.bytes);
}

TEST(PackHeader, ALongOneGetsMoreRoom) {
  PackHeader h = some_header();
  h.model = std::string(kPackRoom, 'm');
  const std::string bytes = encode_pack(h);
  EXPECT_EQ(h.begin, 2 * kPackRoom);
  EXPECT_TRUE(decode_pack(bytes, h.begin + h.bytes));
}

TEST(PackHeader, DamageAnywhereIsNoticed) {
  PackHeader h = some_header();
  const std::string bytes = encode_pack(h);
  const uint64_t size = h.begin + h.bytes;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit : {0, 7}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(decode_pack(damaged, size)) << i;
    }
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_pack(bytes.substr(0, n), size)) << n;
  EXPECT_FALSE(decode_pack(bytes + '\0', size));
  for (uint64_t other : {uint64_t{0}, h.begin - 1, h.begin, size - 1, size + 1})
    EXPECT_FALSE(decode_pack(bytes, other)) << other;
}

// A checksum that fits proves nothing: numbers are held against each other all the same.
TEST(PackHeader, LiesWithARightChecksumAreNoticed) {
  const auto accepted = [](const std::function<void(PackHeader&)>& change) {
    PackHeader h = some_header();
    change(h);
    const std::string bytes = encode_pack(h);
    return decode_pack(bytes, h.begin + h.bytes).has_value();
  };
  EXPECT_TRUE(accepted([](PackHeader&) {}));
  EXPECT_FALSE(accepted([](PackHeader& h) { h.sources.clear(); }));
  EXPECT_FALSE(accepted([](PackHeader& h) { h.tensors[0].offset = h.bytes + 1; }));
  EXPECT_FALSE(accepted([](PackHeader& h) { h.tensors[1].bytes = h.bytes; }));
  EXPECT_FALSE(accepted([](PackHeader& h) { h.tensors[1].bytes = UINT64_MAX; }));
  // Counts of things that the header has no room for: the last count, that of tensors, set far too high.
  PackHeader h = some_header();
  h.tensors.clear();
  std::string bytes = encode_pack(h);
  bytes.resize(bytes.size() - 32);
  std::memset(bytes.data() + bytes.size() - 4, 0xFF, 4);
  bytes += Sha256().add(bytes).digest();
  EXPECT_FALSE(decode_pack(bytes, h.begin + h.bytes));
}

// A GGUF file with one matrix of every weight type; rows of 768 weights, so that tiles are no power of two,
// and enough of them for several chunks.
struct Matrices {
  std::string bytes;
  std::vector<std::pair<std::string, int64_t>> tensors;  // type, rows
  static constexpr int64_t kCols = 768;

  Matrices() {
    Random random(7);
    Bytes data;
    const Table& k = scalar();
    Bytes head = gguf_head(k.n_quants, 0);
    for (int i = 0; i < k.n_quants; ++i) {
      const Quant& q = k.quants[i];
      const int64_t rows = i == 0 ? 2003 : 64 * i + 1;
      tensors.emplace_back(q.name, rows);
      head.str(q.name).u32(2).u64(kCols).u64(rows).u32(ggml_type(q.name)->id).u64(data.s.size());
      const std::vector<uint8_t> blocks = random_blocks(random, q, kCols * rows, Scales::ordinary);
      data.raw({reinterpret_cast<const char*>(blocks.data()), blocks.size()}).pad(32);
    }
    bytes = head.pad(32).raw(data.s).s;
  }
};

int64_t back_to_front(int64_t row, int64_t d_head) {
  return row / d_head * d_head + d_head - 1 - row % d_head;
}

struct Packs {
  Checkpoint file;
  Weights weights;
  Image image;
  Packs(const std::string& path, const Matrices& m, const Table& k) : file(open_checkpoint(path)) {
    for (const auto& [type, rows] : m.tensors) {
      const TensorInfo& t = *file.find(type);
      weights.matrices.push_back(make_matrix(file, t, k, rows, Matrices::kCols));
      const int64_t head = rows == 2003 ? 2003 : 0;  // a prime: one "head" of all rows
      image.add(weights.matrices.back(), t, weights.matrices.back().quant, k, head ? back_to_front : nullptr,
                std::max<int64_t>(head, 1));
    }
  }
};

TEST(Image, TheSameBytesForEveryInstructionSetThreadsAndDestination) {
  const Matrices m;
  const TempFile source("m.gguf", m.bytes), packed("image");
  const Packs first(source.path(), m, scalar());
  const auto want = first.image.pack(first.file, scalar(), 1);
  const std::string bytes(reinterpret_cast<const char*>(want.get()), first.image.bytes());
  std::set<std::string> layouts;
  for (const Table* k : tables())
    for (int threads : {1, 3}) {
      const Packs p(source.path(), m, *k);
      ASSERT_EQ(p.image.bytes(), bytes.size());
      const auto memory = p.image.pack(p.file, *k, threads);
      EXPECT_EQ(0, std::memcmp(memory.get(), bytes.data(), bytes.size())) << k->isa << threads;
      const int fd = ::open(packed.path().c_str(), O_RDWR | O_TRUNC);
      ASSERT_TRUE(p.image.pack_into(fd, kPackRoom, p.file, *k, threads));
      const Mapping mapping(fd, kPackRoom, bytes.size());
      ::close(fd);
      EXPECT_TRUE(mapping.populate(threads));
      EXPECT_EQ(mapping.resident(), bytes.size());
      EXPECT_EQ(0, std::memcmp(mapping.data(), bytes.data(), bytes.size())) << k->isa << threads;
      layouts.insert(pack_layout(pack_tensors(p.image), *k));
    }
  EXPECT_EQ(layouts.size(), 1u);
}

TEST(Image, TilesAreTheKernelsOwn) {
  const Matrices m;
  const TempFile source("m.gguf", m.bytes);
  Packs p(source.path(), m, scalar());
  p.image.give_tiles(p.image.pack(p.file, scalar(), 2));
  for (const Placed& placed : p.image.matrices()) {
    const Matrix& w = *placed.matrix;
    const Quant& q = scalar().quants[w.quant];
    EXPECT_EQ(placed.offset % 4096, 0u);
    const int64_t row_bytes = w.cols / q.block * q.block_bytes;
    std::vector<uint8_t> blocks(row_bytes);
    std::vector<float> want(w.cols), got(w.cols), scratch(w.cols * 16);
    for (int64_t r : {int64_t{0}, int64_t{15}, int64_t{16}, w.rows / 2, w.rows - 1}) {
      const int64_t from = placed.order ? placed.order(r, placed.d_head) : r;
      p.file.read(*placed.tensor, from * row_bytes, row_bytes, blocks.data());
      q.decode(want.data(), blocks.data(), w.cols);
      decode_row(w, scalar(), r, got.data(), scratch.data());
      EXPECT_TRUE(SameBits(got.data(), want.data(), w.cols)) << q.name << " row " << r;
    }
  }
}

TEST(Image, AFileThatBecameShorterIsAnError) {
  const Matrices m;
  const TempFile source("m.gguf", m.bytes), packed("image");
  const Packs p(source.path(), m, scalar());
  source.truncate(m.bytes.size() / 2);
  EXPECT_THROW(p.image.pack(p.file, scalar(), 2), FormatError);
  const int fd = ::open(packed.path().c_str(), O_RDWR | O_TRUNC);
  EXPECT_THROW(p.image.pack_into(fd, 0, p.file, scalar(), 2), FormatError);
  ::close(fd);
}

TEST(Image, WhatCannotBeWrittenIsSaid) {
  const Matrices m;
  const TempFile source("m.gguf", m.bytes);
  const Packs p(source.path(), m, scalar());
  const int fd = ::open(source.path().c_str(), O_RDONLY);
  EXPECT_FALSE(p.image.pack_into(fd, 0, p.file, scalar(), 2));
  ::close(fd);
}

TEST(PackLayout, DependsOnTheTypes) {
  std::set<std::string> layouts;
  for (int i = 0; i < scalar().n_quants; ++i)
    layouts.insert(pack_layout({{"t", scalar().quants[i].name, 1, 1, 0, 0, 0}}, scalar()));
  EXPECT_EQ(layouts.size(), static_cast<size_t>(scalar().n_quants));
}

}  // namespace
}  // namespace cutaway::testing
