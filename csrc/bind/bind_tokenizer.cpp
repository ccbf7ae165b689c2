// Tokenizers to Python: texts in (str or bytes), int32 arrays out, the GIL released while ids are made.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <optional>

#include "bind/bind.h"
#include "bind/text_view.h"
#include "core/error.h"
#include "core/parallel.h"
#include "tokenizer/rank_pack.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

template <class T>
py::array_t<T> array_of(std::vector<T>&& values) {
  auto* owner = new std::vector<T>(std::move(values));
  py::capsule keep(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>({static_cast<py::ssize_t>(owner->size())}, owner->data(), keep);
}

using Ids = py::array_t<int32_t, py::array::c_style | py::array::forcecast>;

// Ill-formed bytes become U+FFFD, one for each maximal subpart (Unicode 16, section 3.9).
py::str str_of(const std::string& utf8) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "replace"));
}

std::string decoded(const Tokenizer& t, const Ids& ids, const DecodeOptions& options, bool as_text) {
  const int32_t* data = ids.data();
  const size_t n = static_cast<size_t>(ids.size());
  py::gil_scoped_release unlocked;
  return as_text ? t.decode(data, n, options) : t.decode_bytes(data, n, options);
}

py::object id_or_none(const Tokenizer& t, const char* name) {
  const int32_t id = t.vocab().special(name);
  return id < 0 ? py::object(py::none()) : py::int_(id);
}

constexpr size_t kKeptIds = size_t{1} << 22;  // of a thread's buffer, between calls

// Ids are made in a buffer that the thread keeps, since fresh memory costs more than the copy.
struct Scratch {
  IdBuffer ids;
  ~Scratch() = default;
  void settle() {
    if (ids.capacity() > kKeptIds) ids = IdBuffer();
  }
};
Scratch& scratch() {
  thread_local Scratch of_thread;
  of_thread.ids.clear();
  return of_thread;
}

py::array_t<int32_t> copied(const int32_t* ids, size_t n) {
  py::array_t<int32_t> array(static_cast<py::ssize_t>(n));
  if (n) std::memcpy(array.mutable_data(), ids, n * sizeof(int32_t));
  return array;
}

// (ids int32 [n], bytes that had no token)
py::tuple encode(const Tokenizer& t, const py::object& given, bool add_special, bool parse_special) {
  const std::string_view view = view_of(given);
  std::string dropped;
  Scratch& made = scratch();
  {
    py::gil_scoped_release unlocked;
    t.encode_ids(view, {add_special, parse_special}, made.ids, dropped);
  }
  py::tuple out = py::make_tuple(copied(made.ids.data(), made.ids.size()), py::bytes(dropped));
  made.settle();
  return out;
}

size_t count(const Tokenizer& t, const py::object& given, bool add_special, bool parse_special) {
  const std::string_view view = view_of(given);
  py::gil_scoped_release unlocked;
  return t.count(view, {add_special, parse_special});
}

// Texts are shared out in runs of about this many bytes; each run is one buffer of ids.
constexpr size_t kRun = size_t{1} << 16;
struct BatchRun {
  size_t first, last;  // texts
  IdBuffer ids;
  std::vector<size_t> ends;  // of each text's ids
  std::string dropped;
  std::exception_ptr failed;
};

py::tuple encode_batch(const Tokenizer& t, const py::list& given, bool add_special, bool parse_special,
                       int threads) {
  std::vector<std::string_view> views;
  views.reserve(given.size());
  std::vector<BatchRun> runs;
  size_t bytes = kRun;
  for (const py::handle& one : given) {
    views.push_back(view_of(one));
    if (bytes >= kRun) runs.push_back({views.size() - 1, 0, {}, {}, {}, {}}), bytes = 0;
    runs.back().last = views.size();
    bytes += views.back().size() + 16;
  }
  {
    py::gil_scoped_release unlocked;
    std::atomic<size_t> next{0};
    const size_t most = static_cast<size_t>(threads > 0 ? threads : usable_cores());
    parallel(team_size(static_cast<int>(std::clamp<size_t>(runs.size(), 1, most))), [&](Worker&) {
      for (size_t i; (i = next++) < runs.size();) {
        BatchRun& run = runs[i];
        try {
          for (size_t k = run.first; k < run.last; ++k) {
            t.encode_ids(views[k], {add_special, parse_special}, run.ids, run.dropped);
            run.ends.push_back(run.ids.size());
          }
        } catch (...) { run.failed = std::current_exception(); }
      }
    });
  }
  py::list arrays(views.size());
  std::string dropped;
  for (const BatchRun& run : runs) {
    if (run.failed) std::rethrow_exception(run.failed);
    size_t begin = 0;
    for (size_t k = run.first; k < run.last; begin = run.ends[k++ - run.first]) {
      const size_t n = run.ends[k - run.first] - begin;
      PyList_SET_ITEM(arrays.ptr(), static_cast<py::ssize_t>(k),
                      copied(run.ids.data() + begin, n).release().ptr());
    }
    dropped += run.dropped;
  }
  return py::make_tuple(arrays, py::bytes(dropped));
}

// Byte spans [n, 2] of the ids that encode() gives.
py::array_t<int64_t> spans(const Tokenizer& t, const py::object& given, bool add_special,
                           bool parse_special) {
  const std::string_view view = view_of(given);
  Encoding out;
  {
    py::gil_scoped_release unlocked;
    out = t.encode(view, {add_special, parse_special});
  }
  py::array_t<int64_t> array({static_cast<py::ssize_t>(out.spans.size()), py::ssize_t{2}});
  auto to = array.mutable_unchecked<2>();
  for (size_t i = 0; i < out.spans.size(); ++i) to(i, 0) = out.spans[i].begin, to(i, 1) = out.spans[i].end;
  return array;
}

// [(begin, end, rule, ids, [(left, right, merged id, key, begin, end, chosen, joined, tried)], normalised)],
// in the order of the text; begin and end are bytes, of a step bytes of the normalised piece.
py::list explain(const Tokenizer& t, const py::object& given, bool add_special, bool parse_special) {
  const std::string_view view = view_of(given);
  Encoding out;
  {
    py::gil_scoped_release unlocked;
    out = t.encode(view, {add_special, parse_special}, true);
  }
  py::list pieces;
  for (const TracedPiece& piece : out.pieces) {
    py::list merges;
    for (const WordStep& m : piece.merges)
      merges.append(py::make_tuple(py::bytes(m.left), py::bytes(m.right), m.id, m.key, m.begin, m.end,
                                   m.chosen, py::bytes(m.joined.empty() ? m.left + m.right : m.joined),
                                   m.tried));
    std::vector<int32_t> ids(out.ids.begin() + piece.first, out.ids.begin() + piece.last);
    pieces.append(py::make_tuple(piece.span.begin, piece.span.end, rule_name(piece.rule), ids, merges,
                                 py::bytes(piece.normalized)));
  }
  return pieces;
}

std::shared_ptr<Tokenizer> open(const py::object& path, const std::string& pattern,
                                const std::string& encoding, std::optional<bool> lowercase,
                                const py::bytes& pack_folder) {
  const std::string bytes = py::bytes(py::module_::import("os").attr("fsencode")(path));
  const std::string folder = pack_folder;
  py::gil_scoped_release unlocked;
  return open_tokenizer(bytes, {pattern, encoding, lowercase, folder});
}

}  // namespace

void bind_tokenizer(py::module_& m) {
  m.def(
      "unicode_category", [](uint32_t cp) { return kCategoryNames[static_cast<int>(category(cp))]; },
      py::arg("cp"), "The general category of a code point in Unicode 16.0, such as 'Lu'.");
  m.def("pretokenizers", &pretokenizer_names, "Names of the pre-tokenizers, with commas.");
  m.def(
      "pretokenize",
      [](const std::string& name, const py::object& given) {
        const Pretokenizer scan = find_pretokenizer(name);
        if (!scan)
          throw ArgumentError(
              text("no pre-tokenizer is called '{}'; there are: {}", name, pretokenizer_names()));
        std::vector<Pretoken> pieces;
        const std::string_view view = view_of(given);
        scan(view, pieces);
        py::list out;
        for (const Pretoken& p : pieces)
          out.append(py::make_tuple(py::bytes(view.data() + p.begin, p.end - p.begin), rule_name(p.rule)));
        return out;
      },
      py::arg("name"), py::arg("text"), "The pieces of a text: [(bytes, rule)].");

  const auto add_special = py::arg("add_special_tokens"), parse_special = py::arg("parse_special");
  py::class_<Tokenizer, std::shared_ptr<Tokenizer>>(m, "Tokenizer",
                                                    "Text to ids and back; cutaway.Tokenizer is its face.")
      .def(py::init(&open), py::arg("path"), py::arg("pattern") = "", py::arg("encoding") = "",
           py::arg("lowercase") = py::none(), py::arg("pack_folder") = py::bytes())
      .def("encode", &encode, py::arg("text"), add_special, parse_special,
           "-> (ids int32 [n], bytes that had no token)")
      .def("encode_batch", &encode_batch, py::arg("texts"), add_special, parse_special, py::arg("threads"),
           "-> ([ids], bytes that had no token)")
      .def("count", &count, py::arg("text"), add_special, parse_special, "How many ids encode() gives.")
      .def("spans", &spans, py::arg("text"), add_special, parse_special, "-> int64 [n, 2], bytes of the text")
      .def("explain", &explain, py::arg("text"), add_special, parse_special)
      .def(
          "decode_bytes",
          [](const Tokenizer& t, const Ids& ids, bool skip_special, bool continuation) {
            return py::bytes(decoded(t, ids, {skip_special, continuation}, false));
          },
          py::arg("ids"), py::arg("skip_special_tokens"), py::arg("continuation"))
      .def(
          "decode",
          [](const Tokenizer& t, const Ids& ids, bool skip_special, bool continuation) {
            return str_of(decoded(t, ids, {skip_special, continuation}, true));
          },
          py::arg("ids"), py::arg("skip_special_tokens"), py::arg("continuation"))
      .def(
          "token_bytes",
          [](const Tokenizer& t, int64_t id) {
            t.check_id(id);
            return py::bytes(std::string(t.bytes(static_cast<int32_t>(id), false)));
          },
          py::arg("id"))
      .def(
          "piece",
          [](const Tokenizer& t, int64_t id) {
            t.check_id(id);
            return str_of(t.vocab().piece(static_cast<int32_t>(id)));
          },
          py::arg("id"), "The token as the file spells it.")
      .def(
          "token_type",
          [](const Tokenizer& t, int64_t id) {
            t.check_id(id);
            static const char* const names[] = {"normal",       "unknown", "control",
                                                "user_defined", "unused",  "byte"};
            return names[static_cast<int>(t.vocab().types[static_cast<size_t>(id)]) - 1];
          },
          py::arg("id"))
      .def(
          "find", [](const Tokenizer& t, const std::string& piece) { return t.vocab().find(piece); },
          py::arg("piece"), "The id of a piece as the file spells it, or -1.")
      .def("special", &id_or_none, py::arg("name"), "The id of bos, eos, ..., or None.")
      .def_property_readonly("specials", [](const Tokenizer& t) { return t.vocab().specials; })
      .def_property_readonly("stop_ids", &Tokenizer::stop_ids)
      .def_property_readonly("chat_templates", [](const Tokenizer& t) { return t.vocab().chat_templates; })
      .def_property_readonly("path", [](const Tokenizer& t) { return t.vocab().path; })
      .def_property_readonly("model", &Tokenizer::model)
      .def_property_readonly("pre", [](const Tokenizer& t) { return t.vocab().pre; })
      .def_property_readonly("add_bos", &Tokenizer::adds_bos)
      .def_property_readonly("add_eos", &Tokenizer::adds_eos)
      .def_property_readonly("space_prefix", &Tokenizer::space_prefix)
      .def_property_readonly("missing_bytes", [](const Tokenizer& t) { return py::bytes(t.missing_bytes()); })
      .def("__len__", [](const Tokenizer& t) { return t.vocab().size(); });

  py::class_<StreamDecoder>(m, "StreamDecoder", "Ids to text one at a time, never half a character.")
      .def(py::init([](std::shared_ptr<Tokenizer> t, bool skip_special, bool continuation) {
             return StreamDecoder(std::move(t), {skip_special, continuation});
           }),
           py::arg("tokenizer"), py::arg("skip_special_tokens"), py::arg("continuation"))
      .def(
          "push",
          [](StreamDecoder& s, int64_t id) {
            if (id != static_cast<int32_t>(id)) id = -1;
            return str_of(s.push(static_cast<int32_t>(id)));
          },
          py::arg("id"))
      .def("finish", [](StreamDecoder& s) { return str_of(s.finish()); });

  m.def(
      "packed_tokenizer",
      [](const std::string& encoding, const py::bytes& pack_folder) {
        const std::string folder = pack_folder;
        py::gil_scoped_release unlocked;
        return std::optional(open_rank_pack(folder, encoding));
      },
      py::arg("encoding"), py::arg("pack_folder"),
      "The tokenizer of an encoding from its pack file, or None where there is no sound one.");
  m.def(
      "report_rank_pack", [](const py::bytes& path) { return report_rank_pack(path); }, py::arg("path"),
      "The state of an encoding's pack file: ready, other version or damaged.");
}

}  // namespace cutaway
