#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our pickle machine against CPython's own unpicklers, on made and damaged pickles.

  pickle_against_cpython.py HELPER [--seed N] [--samples N | --seconds N] [--keep FOLDER]

Every sample is loaded with a harmless find_class that only notes names:
  * pickle.Unpickler (C) from a file that cannot be peeked into, from one that gives all
    it has, and from a buffered file with small blocks;
  * pickle._Unpickler (Python);
and walked by HELPER (pickle_against_cpython_main.cpp). A disagreement is
  * a name that a loader reached and no walk of ours saw, unless the file is said to need
    review;
  * a name that a loader reached in a file that a scan calls free of code;
  * a pickle that a loader loads to its STOP and that we neither walk to STOP nor say to
    need review;
  * a pickle without frames that all of them load, in which pickletools.genops counts
    other opcodes than we.

Prints samples, loads, names and disagreements with the seconds of processor time spent;
ends with 1 if there is a disagreement. `python3.X` of any version may run it: what one
version refuses another one takes.
"""
import argparse
import collections
import copyreg
import io
import os
import pickle
import pickletools
import random
import re
import resource
import struct
import subprocess
import sys
import threading
import time

BATCH = 400
NAMES = [("os", "system"), ("builtins", "eval"), ("evil", "run"), ("a.b", "c.d"),
         ("collections", "OrderedDict"), ("torch", "FloatStorage"), ("x", "y"),
         ("posix", "system"), ("__builtin__", "eval"), ("copyreg", "_reconstructor")]


class Stub:
    """Whatever a name stands for: takes every call, state, item and attribute."""
    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return Stub()

    def __setstate__(self, state):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass

    def add(self, value):
        pass

    def __setitem__(self, key, value):
        pass

    def __hash__(self):
        return 7

    def __eq__(self, other):
        return self is other


def noting(base):
    class Noting(base):
        def __init__(self, file, seen):
            super().__init__(file, encoding="latin1", **BUFFERS)
            self.seen = seen

        def find_class(self, module, name):
            self.seen.append((module, name))
            return Stub

        def persistent_load(self, pid):
            return Stub()

    return Noting


BUFFERS = {"buffers": [bytearray(b"buffer")] * 64} if sys.version_info >= (3, 8) else {}
InC = noting(pickle.Unpickler)
InPython = noting(pickle._Unpickler)


class AllAtOnce(io.BytesIO):
    """A file whose peek() shows everything: what loads() has at hand."""
    def peek(self, count=0):
        here = self.tell()
        rest = self.read()
        self.seek(here)
        return rest


def small_blocks(data):
    return io.BufferedReader(io.BytesIO(data), buffer_size=16)


LOADERS = [("C", InC, io.BytesIO), ("C, all at hand", InC, AllAtOnce),
           ("C, buffered", InC, small_blocks), ("Python", InPython, io.BytesIO)]


def load(unpickler, opener, data):
    """The names reached, and whether STOP was."""
    seen = []
    try:
        unpickler(opener(data), seen).load()
        return seen, True
    except Exception:  # whatever a hostile stream makes of it
        return seen, False


def opcodes_of(data):
    """As pickletools counts them up to STOP; None where it gives up or knows better."""
    count = 0
    try:
        for opcode, _, _ in pickletools.genops(data):
            count += 1
            if opcode.name == "FRAME":
                return None
            if opcode.name == "STOP":
                return count
    except Exception:
        pass
    return None


# --- samples ---------------------------------------------------------------------------

SPACES = [b"", b"", b"", b" ", b"\t", b"\v", b"\f", b"\r", b"  "]


class Maker:
    """Pickles opcode by opcode; most of them load, so that what follows is reached."""
    def __init__(self, rng):
        self.rng = rng
        self.put = 0

    def digits(self, base=10):
        r = self.rng
        alphabet = {2: "01", 8: "01234567", 10: "0123456789", 16: "0123456789abcdefABCDEF"}[base]
        text = "".join(r.choice(alphabet) for _ in range(r.choice([1, 1, 2, 3, 5, 20, 70])))
        if r.random() < 0.3 and len(text) > 1:
            at = r.randrange(len(text))
            text = text[:at] + "_" + text[at:]
        return text.encode()

    def integer(self):
        r = self.rng
        prefix, base = r.choice([(b"", 10)] * 5 + [(b"0x", 16), (b"0X", 16), (b"0o", 8), (b"0b", 2),
                                                   (b"0", 8), (b"0x_", 16), (b"00", 10)])
        text = r.choice(SPACES) + r.choice([b"", b"", b"+", b"-"]) + prefix + self.digits(base)
        text += r.choice(SPACES)
        if r.random() < 0.1:
            text += b"\0" + r.choice([b"", b"junk", b"L"])
        if r.random() < 0.05:
            text = r.choice([b"\0x", b"00", b"01", b"+1", b" 0", b"1L", b"LL", b"0_0", b"-0"])
        return text

    def real(self):
        r = self.rng
        text = r.choice([b"1.5", b"+1.5", b"-.5", b"5.", b"1e9", b"1E+9", b"inf", b"-Infinity", b"nan",
                         b"1_0.5", b"1e999", b"1e-999", b"0x1p3", b"1_.5", b".", b"1e1_0",
                         b"%s.%s" % (self.digits(), self.digits())])
        text = r.choice(SPACES) + text + r.choice(SPACES)
        if r.random() < 0.1:
            text += b"\0" + r.choice([b"", b"junk"])
        return text

    def quoted(self, text):
        r = self.rng
        q = r.choice([b"'", b'"'])
        out = b""
        for byte in text:
            out += r.choice([bytes([byte])] * 6 + [b"\\x%02x" % byte, b"\\%03o" % byte])
        return q + out + q + (r.choice([b"", b" ", b"\r"]) if r.random() < 0.1 else b"")

    def escaped(self, text):
        r = self.rng
        return b"".join(r.choice([bytes([b])] * 6 + [b"\\u%04x" % b, b"\\U%08x" % b]) for b in text)

    def string(self, text):
        """An opcode that pushes `text`."""
        r = self.rng
        n = len(text)
        ways = [b"X" + struct.pack("<I", n) + text, b"\x8d" + struct.pack("<Q", n) + text,
                b"V" + self.escaped(text) + b"\n", b"S" + self.quoted(text) + b"\n",
                b"T" + struct.pack("<I", n) + text]
        if n < 256:
            ways += [b"\x8c" + bytes([n]) + text] * 3 + [b"U" + bytes([n]) + text]
        return r.choice(ways)

    def stored(self):
        """PUT and GET of one place, in some spelling."""
        r = self.rng
        self.put += r.choice([1, 1, 1, 7, 1000])
        n = self.put
        text = b"%d" % n
        if r.random() < 0.5:
            text = r.choice(SPACES) + r.choice([b"", b"+", b"0", b"0_"]) + text + r.choice(SPACES)
        if r.random() < 0.05:
            text = b"%d" % (n + (1 << r.choice([31, 40, 63, 64, 90])))
        if r.random() < 0.05:
            text += b"\0junk"
        put = [b"p" + text + b"\n"]
        get = [b"g" + r.choice([text, text, b"%d" % n]) + b"\n"]
        if n < 256:
            put.append(b"q" + bytes([n]))
            get.append(b"h" + bytes([n]))
        put.append(b"r" + struct.pack("<I", n))
        get.append(b"j" + struct.pack("<I", n))
        return r.choice(put), r.choice(get)

    def name(self):
        module, name = self.rng.choice(NAMES)
        if self.rng.random() < 0.3:
            name += str(self.rng.randrange(1000))
        return module.encode(), name.encode()

    def imported(self):
        r = self.rng
        module, name = self.name()
        if r.random() < 0.4:
            return b"c" + module + b"\n" + name + b"\n"
        put, get = self.stored()
        return r.choice([
            self.string(module) + self.string(name) + b"\x93",
            self.string(module) + put + b"0" + get + self.string(name) + b"\x93",
            self.string(module) + b"\x94" + self.string(name) + b"\x94\x93"])

    def called(self):
        r = self.rng
        module, name = self.name()
        return r.choice([
            self.imported() + b")R", self.imported() + self.value() + b"\x85R",
            b"(" + self.value() + b"i" + module + b"\n" + name + b"\n",
            b"(" + self.imported() + self.value() + b"o", self.imported() + b")\x81",
            self.imported() + b")}\x92", self.imported() + b")R}b"])

    def value(self, depth=0):
        r = self.rng
        if depth > 3:
            return b"N"
        n = r.randrange(300)
        simple = [
            lambda: b"I" + self.integer() + b"\n", lambda: b"L" + self.integer() + r.choice([b"", b"L"]) + b"\n",
            lambda: b"F" + self.real() + b"\n", lambda: b"N", lambda: b"\x88", lambda: b"\x89",
            lambda: b"K" + bytes([n % 256]), lambda: b"M" + struct.pack("<H", n), lambda: b"J" + struct.pack("<i", n - 99),
            lambda: b"G" + struct.pack(">d", n), lambda: b"\x8a" + bytes([n % 9]) + bytes(n % 9),
            lambda: b"\x8b" + struct.pack("<i", n % 40) + bytes(n % 40),
            lambda: self.string(b"t" * (n if r.random() < 0.1 else n % 9)),
            lambda: b"B" + struct.pack("<I", n % 20) + bytes(n % 20), lambda: b"C" + bytes([n % 20]) + bytes(n % 20),
            lambda: b"\x8e" + struct.pack("<Q", n % 20) + bytes(n % 20),
            lambda: b"\x96" + struct.pack("<Q", n % 20) + bytes(n % 20),
            lambda: b"]", lambda: b"}", lambda: b")", lambda: b"\x8f", lambda: b"\x97", lambda: b"P%d\n" % n,
            lambda: b"K\x01Q", lambda: b"\x82\x01", lambda: b"\x83\x01\0", lambda: b"\x84\x01\0\0\0"]
        if r.random() < 0.6:
            return r.choice(simple)()
        inner = lambda: self.value(depth + 1)
        put, get = self.stored()
        return r.choice([
            lambda: b"(" + inner() + inner() + b"t", lambda: inner() + b"\x85", lambda: inner() + inner() + b"\x86",
            lambda: inner() + inner() + inner() + b"\x87", lambda: b"(" + inner() + b"l",
            lambda: b"(K\x01" + inner() + b"d", lambda: b"]" + inner() + b"a", lambda: b"](" + inner() + inner() + b"e",
            lambda: b"}K\x01" + inner() + b"s", lambda: b"}(K\x01" + inner() + b"u", lambda: b"\x8f(K\x01\x90",
            lambda: b"(K\x02\x91", lambda: inner() + b"2\x86", lambda: inner() + put + inner() + b"0" + get + b"\x86",
            lambda: b"(" + inner() + b"1N", lambda: inner() + inner() + b"0", lambda: b"\x96" + struct.pack("<Q", 4) + b"abcd\x98",
            lambda: self.imported(), lambda: self.called()])()

    def framed(self, body):
        r = self.rng
        size = r.choice([len(body)] * 4 + [len(body) + 1, max(0, len(body) - r.randrange(1, 12)), r.randrange(len(body) + 4)])
        return b"\x95" + struct.pack("<Q", size) + body

    def pickled(self):
        r = self.rng
        protocol = r.choice([None, None, 0, 1, 2, 3, 4, 5])
        out = b"" if protocol is None else b"\x80" + bytes([protocol])
        parts = [self.value() for _ in range(r.choice([1, 1, 2, 3, 5]))]
        if r.random() < 0.5:
            parts.append(self.called())
        body = b"0".join(parts)
        end = b"."
        if r.random() < 0.25:
            cut = r.randrange(len(body) + 1)
            body = r.choice([lambda: self.framed(body), lambda: self.framed(body[:cut]) + body[cut:],
                             lambda: body[:cut] + self.framed(body[cut:]),
                             lambda: self.framed(body[:cut] + self.framed(body[cut:]))])()
        if r.random() < 0.02:
            # An argument that a frame cuts in two: what is dropped decides.
            size = struct.pack("<I", r.choice([1, 7, 0x107]))
            keep = r.randrange(1, 5)
            body += b"(\x95" + struct.pack("<Q", keep) + b"B" + size + bytes(8) + self.called() + b"N" * 300 + b"1N"
        if r.random() < 0.02:
            body = b"V" + b"v" * r.choice([70000, 262144, 300000]) + b"\n0" + body
        if r.random() < 0.02:
            body = b"(" + b"I1\n" * r.choice([22000, 90000]) + b"1" + body
        return out + body + end


def mutated(rng, data, other):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice(b"(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu}])\n\0'\\_+-\x80\x81\x82\x85\x8a\x8c\x93\x94\x95\x96\x98")
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at:at + rng.randrange(1, 16)]
        elif kind == 4:
            data[at:at] = data[at:at + rng.randrange(1, 32)]
        elif kind == 5:
            start = rng.randrange(len(other)) if other else 0
            data[at:at] = other[start:start + rng.randrange(1, 48)]
        else:
            data[at:at] = struct.pack("<Q", rng.choice([0, 1, 2, 255, 1 << 31, 1 << 63]))[:rng.choice([1, 4, 8])]
    return bytes(data[:1 << 20])


def samples(rng):
    last = b"N."
    while True:
        made = Maker(rng).pickled()
        yield made
        small = made if len(made) < 4096 else made[-2048:]
        for _ in range(3):
            yield mutated(rng, small, last)
        last = small


# --- comparison ------------------------------------------------------------------------

def send(helper, batch):
    for data in batch:
        helper.stdin.write(struct.pack("<I", len(data)) + data)
    helper.stdin.flush()


def ask(helper, batch):
    # Both pipes are small: who writes all before reading may wait for ever.
    sender = threading.Thread(target=send, args=(helper, batch))
    sender.start()
    for _ in batch:
        parts = helper.stdout.readline().decode().rstrip("\n").split("\t")
        if len(parts) != 7:
            sys.exit("the helper has ended: %r" % parts)
        names = set()
        for each in filter(None, parts[6].split(",")):
            module, name = each.split(":")
            names.add((bytes.fromhex(module), bytes.fromhex(name)))
        yield parts[:6], names
    sender.join()


def is_importable(name):
    """What an import statement could mean; __import__ of other texts is no attack."""
    module, attribute = name
    return all(part.isidentifier() for part in module.split(".")) and \
        all(part.isidentifier() for part in attribute.split("."))


def judge(data, answer, names, counts):
    verdict, _, _, named, stopped, opcodes = answer
    by_all = True
    reviewed = named in ("needs-review", "malicious")
    wrong = []
    for label, unpickler, opener in LOADERS:
        seen, loads = load(unpickler, opener, data)
        counts["loads"] += 1
        counts["loaded"] += loads
        by_all &= loads
        for name in seen:
            counts["names"] += 1
            as_bytes = tuple(part.encode("utf-8", "surrogatepass") for part in name)
            if as_bytes not in names and not reviewed:
                wrong.append("%s reached %r, unseen and not under review" % (label, name))
            elif is_importable(name) and verdict == "no-code":
                wrong.append("%s reached %r, and a scan says no-code" % (label, name))
        if loads and stopped != "stopped" and not reviewed:
            wrong.append("%s loads it whole, our walk breaks off unsaid" % label)
    if by_all:
        counted = opcodes_of(data)
        if counted is not None and counted != int(opcodes):
            wrong.append("genops counts other opcodes than our %s: %d" % (opcodes, counted))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("helper")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--keep", help="folder for the samples that disagree")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    copyreg.add_extension("evil", "extension", 1)
    rng = random.Random(args.seed)
    source = samples(rng)
    counts = collections.Counter()
    kinds = collections.Counter()
    # What CPython itself prints of its exceptions in destructors.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    helper = subprocess.Popen([args.helper], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    began = time.monotonic()
    while (time.monotonic() - began < args.seconds if args.seconds else counts["samples"] < args.samples):
        batch = [next(source) for _ in range(BATCH)]
        for data, (answer, names) in zip(batch, ask(helper, batch)):
            counts["samples"] += 1
            wrong = judge(data, answer, names, counts)
            if not wrong:
                continue
            counts["disagreements"] += 1
            kinds[re.sub(r"reached .*?\), ", "reached a name, ", wrong[0])] += 1
            if counts["disagreements"] <= 20:
                print("DISAGREEMENT %r\n  %s\n  ours: %s %s" % (data[:300], "; ".join(wrong[:3]), answer, sorted(names)[:5]))
            if args.keep:
                os.makedirs(args.keep, exist_ok=True)
                with open(os.path.join(args.keep, "%d-%d" % (args.seed, counts["samples"])), "wb") as out:
                    out.write(data)
    helper.stdin.close()
    helper.wait()
    mine = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
    print("python %s seed %d: samples %d, loads %d (%d to STOP), names reached %d, disagreements %d, cpu %.1f s (%.3f h)"
          % (sys.version.split()[0], args.seed, counts["samples"], counts["loads"], counts["loaded"], counts["names"],
             counts["disagreements"], cpu, cpu / 3600))
    for kind, count in kinds.most_common():
        print("  %6d %s" % (count, kind))
    return 1 if counts["disagreements"] or helper.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
