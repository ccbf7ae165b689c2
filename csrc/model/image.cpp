#include "model/image.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>

#include "core/buffer.h"
#include "core/parallel.h"

namespace cutaway {
namespace {

using kernels::kLanes;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPadding =
    64;  // tiles are multiples of it, and zero where they are longer than what is in them
// What a worker takes at a time. Written in one piece at a multiple of it, a chunk becomes one huge page of
// the page cache where the file system has such; so it is mapped by one entry, also by every later process.
constexpr uint64_t kChunk = uint64_t{2} << 20;
constexpr int64_t kStrip = int64_t{256} << 10;  // bytes of the file read at a time: they stay in the cache

uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

// A tile that lies across the edge of two chunks is packed for each of them: chunks are several tiles long.
uint64_t chunk_bytes(const Image& image) {
  uint64_t tile = 0;
  for (const Placed& p : image.matrices()) tile = std::max(tile, p.tile_bytes);
  return std::max(kChunk, round_up(4 * tile, kChunk));
}

// Tiles to read for at a time: whole heads where the rows of a head change places.
int64_t strip_tiles(const Placed& p) {
  const int64_t fit = kStrip / (kLanes * static_cast<int64_t>(p.row_bytes));
  return std::max<int64_t>({1, fit, p.order ? (p.d_head + kLanes - 1) / kLanes : 0});
}

// What one worker needs beside the image.
struct Desk {
  std::vector<uint8_t> rows;  // of the file
  std::vector<uint8_t> zeros;
  std::unique_ptr<Buffer> tile, chunk;
  std::vector<float> floats = {};  // of a row that is requantised
  std::vector<uint8_t> encoded = {};
};

Desk make_desk(const Image& image, uint64_t chunk) {
  uint64_t rows = 0, row = 0, tile = 64;
  for (const Placed& p : image.matrices()) {
    const auto most = static_cast<uint64_t>(strip_tiles(p) * kLanes + (p.order ? 2 * p.d_head : 0));
    rows = std::max(rows, std::min(most, static_cast<uint64_t>(p.matrix->rows)) * p.row_bytes);
    row = std::max(row, p.row_bytes);
    tile = std::max(tile, p.tile_bytes);
  }
  return {std::vector<uint8_t>(rows), std::vector<uint8_t>(row), std::make_unique<Buffer>(tile),
          std::make_unique<Buffer>(chunk)};
}

// The 16 rows of a tile, stored as `from`, in blocks of another type.
void requantise(const kernels::Quant& from, const kernels::Quant& to, int64_t cols, const uint8_t** rows,
                Desk& desk) {
  const int64_t row = cols / to.block * to.block_bytes;
  desk.floats.resize(cols);
  desk.encoded.resize(kLanes * row);
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    from.decode(desk.floats.data(), rows[lane], cols);
    to.encode(desk.encoded.data() + lane * row, desk.floats.data(), cols);
    rows[lane] = desk.encoded.data() + lane * row;
  }
}

// Tiles [first, last) of a matrix, those parts that lie in [begin, end) of the image. out: byte `begin`.
void pack_tiles(const Placed& p, const kernels::Table& kernels, const Checkpoint& file, int64_t first,
                int64_t last, uint64_t begin, uint64_t end, uint8_t* out, Desk& desk) {
  const kernels::Quant& q = kernels.quants[p.matrix->quant];
  const int64_t rows = p.matrix->rows, cols = p.matrix->cols;
  int64_t low = first * kLanes, high = std::min(last * kLanes, rows);
  if (p.order) {
    low = low / p.d_head * p.d_head;
    high = std::min((high + p.d_head - 1) / p.d_head * p.d_head, rows);
  }
  file.read(*p.tensor, low * p.row_bytes, (high - low) * p.row_bytes, desk.rows.data());
  for (int64_t t = first; t < last; ++t) {
    const uint8_t* source[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t r = t * kLanes + lane;
      source[lane] = r >= rows
                         ? desk.zeros.data()
                         : desk.rows.data() + ((p.order ? p.order(r, p.d_head) : r) - low) * p.row_bytes;
    }
    if (p.stored != p.matrix->quant) requantise(kernels.quants[p.stored], q, cols, source, desk);
    const uint64_t from = p.offset + t * p.tile_bytes, to = from + p.tile_bytes;
    const bool inside = from >= begin && to <= end;
    uint8_t* const whole = inside ? out + (from - begin) : static_cast<uint8_t*>(desk.tile->data());
    std::memset(whole + p.tile_bytes - kPadding, 0, kPadding);
    q.pack(whole, source, cols);
    if (inside) continue;
    const uint64_t b = std::max(from, begin), e = std::min(to, end);
    std::memcpy(out + (b - begin), whole + (b - from), e - b);
  }
}

// Bytes [begin, end) of the image into `out`.
void pack_chunk(const Image& image, const kernels::Table& kernels, const Checkpoint& file, uint64_t begin,
                uint64_t end, uint8_t* out, Desk& desk) {
  auto p = std::partition_point(image.matrices().begin(), image.matrices().end(), [&](const Placed& m) {
    return round_up(m.offset + m.bytes, kPage) <= begin;
  });
  for (; p != image.matrices().end() && p->offset < end; ++p) {
    const uint64_t b = std::min(std::max(begin, p->offset) - p->offset, p->bytes),
                   e = std::min(end, p->offset + p->bytes) - p->offset;
    const auto last = static_cast<int64_t>((e + p->tile_bytes - 1) / p->tile_bytes);
    for (auto t = static_cast<int64_t>(b / p->tile_bytes); t < last;) {
      const int64_t stop = std::min(t + strip_tiles(*p), last);
      pack_tiles(*p, kernels, file, t, stop, begin, end, out, desk);
      t = stop;
    }
    // Up to the next matrix there is nothing.
    const uint64_t gap = std::max(begin, p->offset + p->bytes);
    const uint64_t next = std::min(end, round_up(p->offset + p->bytes, kPage));
    if (gap < next) std::memset(out + (gap - begin), 0, next - gap);
  }
}

bool write_all(int fd, const uint8_t* data, uint64_t n, uint64_t at) {
  while (n > 0) {
    const ssize_t done = ::pwrite(fd, data, n, static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done, at += done, n -= done;
  }
  return true;
}

// work(begin, end, worker) for every chunk of the image, until one says false. Rethrows what one throws.
template <class Work>
bool for_chunks(const Image& image, int threads, uint64_t chunk, Work&& work) {
  std::atomic<uint64_t> next{0};
  std::atomic<bool> fine{true};
  std::mutex mutex;
  std::exception_ptr thrown;
  parallel(threads, [&](Worker& w) {
    for (uint64_t at; fine && (at = next.fetch_add(chunk)) < image.bytes();) try {
        if (!work(at, std::min(at + chunk, image.bytes()), w.id)) fine = false;
      } catch (...) {
        fine = false;
        std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
  });
  if (thrown) std::rethrow_exception(thrown);
  return fine;
}

int workers_for(const Image& image, int threads, uint64_t chunk) {
  const uint64_t chunks = (image.bytes() + chunk - 1) / chunk;
  return static_cast<int>(std::clamp<uint64_t>(chunks, 1, std::max(1, team_size(threads))));
}

}  // namespace

uint64_t Image::add(Matrix& matrix, const TensorInfo& tensor, int stored, const kernels::Table& kernels,
                    RowOrder order, int64_t d_head) {
  const kernels::Quant &q = kernels.quants[matrix.quant], &s = kernels.quants[stored];
  const auto tile = static_cast<uint64_t>(q.tile_bytes(matrix.cols));
  const auto row = static_cast<uint64_t>(matrix.cols / s.block * s.block_bytes);
  matrices_.push_back({&matrix, &tensor, order, d_head, stored, bytes_, matrix.n_tiles() * tile, tile, row});
  bytes_ = round_up(bytes_ + matrices_.back().bytes, kPage);
  return matrices_.back().bytes;
}

std::shared_ptr<const uint8_t> Image::pack(const Checkpoint& file, const kernels::Table& kernels,
                                           int threads) const {
  const auto memory = std::make_shared<Buffer>(std::max<uint64_t>(bytes_, 1));
  auto* const out = static_cast<uint8_t*>(memory->data());
  const uint64_t chunk = chunk_bytes(*this);
  const int workers = workers_for(*this, threads, chunk);
  std::vector<Desk> desks;
  for (int i = 0; i < workers; ++i) desks.push_back(make_desk(*this, 1));
  for_chunks(*this, workers, chunk, [&](uint64_t begin, uint64_t end, int worker) {
    pack_chunk(*this, kernels, file, begin, end, out + begin, desks[worker]);
    return true;
  });
  return {memory, out};
}

bool Image::pack_into(int fd, uint64_t begin, const Checkpoint& file, const kernels::Table& kernels,
                      int threads) const {
  const uint64_t chunk = chunk_bytes(*this);
  const int workers = workers_for(*this, threads, chunk);
  std::vector<Desk> desks;
  for (int i = 0; i < workers; ++i) desks.push_back(make_desk(*this, chunk));
  return for_chunks(*this, workers, chunk, [&](uint64_t at, uint64_t end, int worker) {
    auto* const bytes = static_cast<uint8_t*>(desks[worker].chunk->data());
    pack_chunk(*this, kernels, file, at, end, bytes, desks[worker]);
    return write_all(fd, bytes, end - at, begin + at);
  });
}

void Image::give_tiles(const std::shared_ptr<const uint8_t>& image) const {
  for (const Placed& p : matrices_) p.matrix->tiles = {image, image.get() + p.offset};
}

}  // namespace cutaway
