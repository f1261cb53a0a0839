"""Addresses that lead inside, plainly or in disguise; `{port}` is where the sink listens."""

RANGES = """
    0.0.0.0 0.255.255.255 10.0.0.0 10.1.2.3 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255 127.0.0.0
    127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.31.255.255
    192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.0 192.168.255.255
    192.175.48.1 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
    255.255.255.255 168.63.129.16
""".split()
RANGES_6 = """
    :: ::1 ::2 ::127.0.0.1 ::7f00:1 ::ffff:0:0 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 0:0:0:0:0:0:0:1 0:0:0:0:0:ffff:7f00:1 64:ff9b::7f00:1 64:ff9b::127.0.0.1
    64:ff9b::8.8.8.8 64:ff9b:1::1 64:ff9b:1:fffe::a00:1 100::1 200::1 400::1 1000::1 2001::1 2001:0:7f00:1:: 2001:2::1
    2001:10::1 2001:20::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1:: 2002:a00:1::1 2002:c0a8:1::1 2620:4f:8000::1
    3fff::1 4000::1 5f00::1 8000::1 c000::1 e000::1 f000::1 fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1 fe00::1 fe80::1
    fe80::7f00:1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1
""".split()
DISGUISED = """
    127.1 127.0.1 2130706433 0x7f000001 0X7F000001 0x7f.0.0.1 0x7f.1 0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1 017700000001
    0177.0x0.0.1 127.000.000.001 127.0.0.01 0 0x0 00 0.0 0.0.0 127.0.0.1. 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe
    0251.0376.0251.0376 169.16689662 0xa000001 012.1 10.1 167772161 192.168.257 3232235521 0xc0a80001
    \u2460\u2461\u2466.\u24ea.\u24ea.\u2460 \uff11\uff12\uff17.\uff10.\uff10.\uff11
    127\u30020\u30020\u30021 127\uff0e0\uff0e0\uff0e1 0\u21797f.1 \u246f\u2468.254.169.254
    %31%32%37.0.0.1 127.0.0.1%00.example
    localhost%00.example 127.0.0.1%2f.example 127.0.0.1%09 4294967296 4294967297 0x17f000001 127.0.0.1.. .127.0.0.1
""".split()
NAMES = {
    "inside.example": [["10.0.0.5"]],
    "loop.example": [["127.0.0.1"]],
    "loop6.example": [["::1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "nat64.example": [["64:ff9b::7f00:1"]],
    "sixtofour.example": [["2002:7f00:1::1"]],
    "metadata.example": [["169.254.169.254"]],
    "carrier.example": [["100.64.0.1"]],
    "two.example": [["8.8.8.8", "127.0.0.1"]],
    "two-faced.example": [["127.0.0.1", "8.8.8.8"]],
    "mixed.example": [["8.8.8.8", "2001:4860:4860::8888", "fd00::1"]],
    "many.example": [["8.8.8.8"] * 30 + ["10.0.0.1"]],
    "zone.example": [["fe80::1%1"]],
    "strange.example": [["not a number"]],
    "localhost": [["127.0.0.1", "::1"]],
    "LOCALHOST": [["127.0.0.1", "::1"]],
    "localhost.": [["127.0.0.1"]],
    "app.localhost": [["127.0.0.1"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "kubernetes.default.svc": [["10.96.0.1"]],
}
DISGUISED.append("a" * 64 + ".example")
HOSTS = [*RANGES, *(f"[{number}]" for number in RANGES_6), *DISGUISED, *NAMES]
SHAPES = """
    {scheme}://127.0.0.1:{port}\\@public.example/ {scheme}://public.example@127.0.0.1:{port}/
    {scheme}://public.example:443@127.0.0.1:{port}/ {scheme}://user:word@127.0.0.1:{port}/ {scheme}://:@127.0.0.1:{port}/
    {scheme}://127.0.0.1:{port}#@public.example/ {scheme}://127.0.0.1:{port}?@public.example/
    {scheme}://127.0.0.1:{port};public.example/ {scheme}://public.example\\@127.0.0.1:{port}/
    {scheme}://user%40public.example:443@127.0.0.1:{port}/ {scheme}:127.0.0.1:{port}/ {scheme}:/127.0.0.1:{port}/
    {scheme}:///127.0.0.1:{port}/ {scheme}:\\\\127.0.0.1:{port}/ {scheme}://[::1]:{port}@public.example:1/
    {scheme}://[::ffff:127.0.0.1%25lo]:{port}/ {scheme}://[::1%25lo]:{port}/ {scheme}://[::1]x:{port}/
    {scheme}://127.0.0.1:{port}:443/ {scheme}://127.0.0.1:99999/ {scheme}:// {scheme}:///
""".split()
OTHERS = """
    ftp://127.0.0.1:{port}/ file:///etc/hostname file://127.0.0.1:{port}/x gopher://127.0.0.1:{port}/_x
    data:video/mp4;base64,AAAA ws://127.0.0.1:{port}/ wss://127.0.0.1:{port}/ unix:///run/x dict://127.0.0.1:{port}/
    tcp://127.0.0.1:{port}/ ldap://127.0.0.1/ jar:https://127.0.0.1:{port}/!/ //127.0.0.1:{port}/ 127.0.0.1:{port}
    http://8.8.8.8:{port}/ http://public.example:{port}/ blob:https://127.0.0.1:{port}/ HTTP://127.0.0.1:{port}/
""".split()
CORPUS = [
    *(f"{scheme}://{host}:{{port}}/clip.mp4" for host in HOSTS for scheme in ("https", "http")),
    *(shape.replace("{scheme}", scheme) for shape in SHAPES for scheme in ("https", "http")),
    *OTHERS,
    *("", " ", "https://127.0.0.1 :{port}/", "https://127.0.0.1\t:{port}/", "https://127.0.0.1\r\nHost: x:{port}/"),
    *(" https://127.0.0.1:{port}/", "ht\ntps://127.0.0.1:{port}/", "https://127.0.0.1\0:{port}/", "\ud800"),
]
