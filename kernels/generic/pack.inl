// Planes of a packed tile. Per 32 columns of K: 256 bytes of nibbles (or 512 of bytes), lane r of each
// 64-byte vector holding 4 codes of output row r, as a 4-way byte dot product reads them.

// The 32 codes of a lane on their way into a tile: word j holds columns 4 j .. 4 j + 3, a byte each, so that
// one step serves four. A processor of the other byte order cannot run this: formats are little-endian
// throughout.
struct Codes {
  uint32_t words[8];
};

static inline uint32_t word_at(const uint8_t* p) {
  uint32_t w;
  __builtin_memcpy(&w, p, 4);
  return w;
}

// 16 bytes: low nibbles are codes 0..15, high nibbles 16..31.
static inline Codes nibbles_of(const uint8_t* p) {
  Codes c;
  for (int j = 0; j < 4; ++j) {
    const uint32_t w = word_at(p + 4 * j);
    c.words[j] = w & 0x0F0F0F0F;
    c.words[4 + j] = (w >> 4) & 0x0F0F0F0F;
  }
  return c;
}

// A field of 32 bytes: (byte >> shift) & mask.
static inline Codes fields_of(const uint8_t* p, int shift, uint32_t mask) {
  Codes c;
  for (int j = 0; j < 8; ++j) c.words[j] = (word_at(p + 4 * j) >> shift) & (mask * 0x01010101u);
  return c;
}

// Vector j (0..3), lane r, byte b: low nibble column 4 j + b, high nibble column 16 + 4 j + b.
static inline void put_nibbles(uint8_t* plane, int lane, const Codes& c) {
  for (int j = 0; j < 4; ++j) {
    const uint32_t w = (c.words[j] & 0x0F0F0F0Fu) | ((c.words[4 + j] & 0x0F0F0F0Fu) << 4);
    __builtin_memcpy(plane + 64 * j + 4 * lane, &w, 4);
  }
}

static inline void get_nibbles(i32x16* words /*[8]*/, const uint8_t* plane) {
  const i32x16 low = seti(0x0F0F0F0F);
  for (int j = 0; j < 4; ++j) {
    const i32x16 x = loadi(plane + 64 * j);
    words[j] = and16(x, low);
    words[4 + j] = and16(shr(x, 4), low);
  }
}

// Vector j (0..7), lane r, byte b: column 4 j + b.
static inline void put_bytes(uint8_t* plane, int lane, const Codes& c) {
  for (int j = 0; j < 8; ++j) __builtin_memcpy(plane + 64 * j + 4 * lane, &c.words[j], 4);
}

// Two bits of each code, 128 bytes: vector h (0, 1), lane r, bits 8 b + 2 j, + 1 belong to
// column 16 h + 4 j + b: one shift serves a whole word of 4 codes.
static inline void put_pairs(uint8_t* plane, int lane, const Codes& c) {
  for (int h = 0; h < 2; ++h) {
    uint32_t w = 0;
    for (int j = 0; j < 4; ++j) w |= (c.words[4 * h + j] & 0x03030303u) << (2 * j);
    __builtin_memcpy(plane + 64 * h + 4 * lane, &w, 4);
  }
}

static inline void get_pairs(i32x16* words /*[8]*/, const uint8_t* plane) {
  for (int h = 0; h < 2; ++h) {
    const i32x16 x = loadi(plane + 64 * h);
    for (int j = 0; j < 4; ++j) words[4 * h + j] = and16(shr(x, 2 * j), seti(0x03030303));
  }
}

// The 16 columns of one vector of such a plane join their words as bits N, N + 1.
template <int N, int J = 0>
static inline void or_pairs(i32x16* words /*[4]*/, i32x16 plane) {
  i32x16 moved;
  if constexpr (2 * J < N)
    moved = shl<N - 2 * J>(plane);
  else
    moved = shr(plane, 2 * J - N);
  words[J] = or16(words[J], and16(moved, seti(0x03030303 << N)));
  if constexpr (J < 3) or_pairs<N, J + 1>(words, plane);
}

// One bit of each code, 64 bytes: lane r, bit 8 b + j belongs to column 4 j + b.
static inline void put_bits(uint8_t* plane, int lane, const Codes& c) {
  uint32_t w = 0;
  for (int j = 0; j < 8; ++j) w |= (c.words[j] & 0x01010101u) << j;
  __builtin_memcpy(plane + 4 * lane, &w, 4);
}

// The same of a word that holds column i as bit i: the five bits of each bit's place turn by two, in four
// swaps.
static inline void put_bit_word(uint8_t* plane, int lane, uint32_t w) {
  const auto swap = [&w](int by, uint32_t mask) {
    const uint32_t t = (w ^ (w >> by)) & mask;
    w ^= t ^ (t << by);
  };
  swap(14, 0x0000CCCCu);
  swap(7, 0x00AA00AAu);
  swap(2, 0x0C0C0C0Cu);
  swap(1, 0x22222222u);
  __builtin_memcpy(plane + 4 * lane, &w, 4);
}

// Such a plane joins the words as bit N.
template <int N, int J = 0>
static inline void or_bits(i32x16* words /*[8]*/, i32x16 plane) {
  i32x16 moved;
  if constexpr (J < N)
    moved = shl<N - J>(plane);
  else
    moved = shr(plane, J - N);
  words[J] = or16(words[J], and16(moved, seti(0x01010101 << N)));
  if constexpr (J < 7) or_bits<N, J + 1>(words, plane);
}

static inline f32x16 code_at(i32x16 word, int byte, int zero) {
  return to_float(sub(and16(shr(word, 8 * byte), seti(255)), seti(zero)));
}

static inline int64_t round_up_64(int64_t n) { return (n + 63) / 64 * 64; }

// Packing goes through a tile in the order of its bytes: f(lane, block of 32 columns).
template <class F>
static inline void for_blocks(int64_t cols, F&& f) {
  for (int64_t b = 0; b < cols / 32; ++b)
    for (int r = 0; r < kLanes; ++r) f(r, b);
}

static inline void put_u16(uint8_t* plane, int64_t i, uint16_t v) { __builtin_memcpy(plane + 2 * i, &v, 2); }

// What a weight type needs of 32 activations beside their codes, in every lane.
struct RowBlock {
  f32x16 scale, first_sum, second_sum, scaled_sum;
};

// ---- encoding, for the head alone (docs/architecture.md)
static inline int nearest_code(float x, int least, int most) {  // least for a NaN
  const float q = __builtin_floorf(x + 0.5f);
  return !(q >= static_cast<float>(least)) ? least
         : q > static_cast<float>(most)    ? most
                                           : static_cast<int>(q);
}

// Codes 0 .. 2 levels - 1 and the scale d with x ~ d * (code - levels): of some scales that take the largest
// number to the end of the range, or near it, the one with the least squared error, d then being the best for
// its codes.
static inline float encode_symmetric(uint8_t* codes /*[32]*/, const float* x /*[32]*/, int levels) {
  float largest = 0.0f;
  for (int i = 0; i < 32; ++i)
    if (__builtin_fabsf(x[i]) > __builtin_fabsf(largest)) largest = x[i];
  float best = 0.0f, d = 0.0f;
  for (int i = 0; i < 32; ++i) codes[i] = static_cast<uint8_t>(levels);
  for (int step = -4; step <= 4; ++step) {
    const float inverse = (0.1f * static_cast<float>(step) - static_cast<float>(levels)) / largest;
    if (!(__builtin_fabsf(inverse) <= 3.4028234663852886e38f)) break;  // nothing there
    float xq = 0.0f, qq = 0.0f;
    uint8_t trial[32];
    for (int i = 0; i < 32; ++i) {
      const int q = nearest_code(x[i] * inverse, -levels, levels - 1);
      trial[i] = static_cast<uint8_t>(q + levels);
      xq = xq + x[i] * static_cast<float>(q);
      qq = qq + static_cast<float>(q * q);
    }
    if (qq > 0.0f && xq * xq / qq > best) {
      best = xq * xq / qq;
      d = xq / qq;
      for (int i = 0; i < 32; ++i) codes[i] = trial[i];
    }
  }
  return d;
}
static inline void write_u16(uint8_t* p, uint16_t v) { p[0] = v & 255, p[1] = v >> 8; }
