"""Canonical CBOR: the closed subset of docs/protocol.md, section Encoding. A map is a dict with integer keys."""


class Refused(Exception):
    """A refusal with the protocol's code."""

    def __init__(self, code, why=""):
        super().__init__(f"{code} {why}")
        self.code = code


MAX_DEPTH = 8


def encode(value):
    if value is False or value is True:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted(value.items())
        return _head(5, len(pairs)) + b"".join(_head(0, key) + encode(item) for key, item in pairs)
    raise TypeError(type(value))


def decode(data):
    value, rest = _value(data, 0)
    if rest:
        raise Refused("E_CANON", "bytes after the end")
    return value


def diagnostic(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(diagnostic(item) for item in value) + "]"
    return "{" + ", ".join(f"{key}: {diagnostic(item)}" for key, item in value.items()) + "}"


def _head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            return bytes([major << 5 | code]) + argument.to_bytes(width, "big")
    raise OverflowError(argument)


def _value(data, depth):
    if depth >= MAX_DEPTH:
        raise Refused("E_LIMIT", "nested too deeply")
    if not data:
        raise Refused("E_CANON", "ends too early")
    major = data[0] >> 5
    if data[0] in (0xF4, 0xF5):
        return data[0] == 0xF5, data[1:]
    if major not in (0, 2, 3, 4, 5):
        raise Refused("E_CANON", "a type outside the subset")
    argument, rest = _argument(data)
    if major == 0:
        return argument, rest
    if major in (2, 3):
        if len(rest) < argument:
            raise Refused("E_CANON", "ends too early")
        content, rest = rest[:argument], rest[argument:]
        if major == 2:
            return content, rest
        try:
            return content.decode("utf-8", "strict"), rest
        except UnicodeDecodeError:
            raise Refused("E_CANON", "text is not UTF-8") from None
    if major == 4:
        items = []
        for _ in range(argument):
            item, rest = _value(rest, depth + 1)
            items.append(item)
        return items, rest
    return _map(argument, rest, depth)


def _map(count, rest, depth):
    pairs, last = {}, -1
    for _ in range(count):
        if not rest or rest[0] >> 5 != 0:
            raise Refused("E_CANON", "a map key is not an unsigned integer")
        key, rest = _argument(rest)
        if key <= last:
            raise Refused("E_CANON", "map keys are not in ascending order")
        last = key
        pairs[key], rest = _value(rest, depth + 1)
    return pairs, rest


def _argument(data):
    small = data[0] & 0x1F
    if small < 24:
        return small, data[1:]
    if small > 27:
        raise Refused("E_CANON", "a reserved or indefinite length")
    width = 1 << (small - 24)
    if len(data) < 1 + width:
        raise Refused("E_CANON", "ends too early")
    argument = int.from_bytes(data[1 : 1 + width], "big")
    if argument < (24, 0x100, 0x10000, 0x100000000)[small - 24]:
        raise Refused("E_CANON", "not in its shortest form")
    return argument, data[1 + width :]
