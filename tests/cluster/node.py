"""Runs the programs of a cluster with one node: etcd, the control plane, containerd, kubelet and kube-proxy."""

import concurrent.futures
import contextlib
import functools
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cluster import cgroups, files, images, places

_LAST_LINES = 5


@contextlib.contextmanager
def running(folder: Path, programs: Path) -> Iterator[places.Place]:
    """A node that is ready, with its DNS, and our images on it."""
    of = places.Place(folder, programs)
    _furnish(of)
    try:
        _control(of)
        _work(of)
        _load(of)
        of.until("a node", lambda: of.succeeds("kubectl", "wait", "--for=condition=Ready", "node/node-1"))
        of.kubectl("apply", "--filename=-", given=files.DNS_OBJECTS)
        of.kubectl("--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=5m")
        (version,) = (one["status"]["nodeInfo"]["kubeletVersion"] for one in of.objects("nodes"))
        print(f"Kubernetes {version}: a node is ready, and its DNS", flush=True)
        yield of
    except BaseException:
        _tell(of)
        raise
    finally:
        of.stop()


def _furnish(of: places.Place) -> None:
    """A network, and folders that nobody else sees; what the kubelet would change for everybody stays as it is."""
    of.run("mount", "--make-rshared", "/")
    (of.folder / "containerd").mkdir()
    for own in ("/run", "/var/log", "/var/lib/kubelet", str(of.folder / "containerd")):  # images, too: disks are slow
        of.run("mount", "-t", "tmpfs", "tmpfs", own)
    for place, text in files.SHOWN.items():
        shown = of.folder / place.replace("/", "_")
        shown.write_text(text)
        of.run("mount", "--bind", str(shown), place)
    for words in (
        *("link set lo up", "link add node0 type veth peer name nowhere", "link set node0 up", "link set nowhere up"),
        *(f"addr add {files.NODE}/24 dev node0", "route add default dev node0"),
    ):
        of.run("ip", *words.split())
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    (of.folder / "cni" / "pods.conflist").write_text(files.NETWORK)
    token = secrets.token_hex(16)
    (of.folder / "kubeconfig").write_text(files.kubeconfig(token))
    (of.folder / "tokens").write_text(f'{token},admin,admin,"system:masters"\n')
    _key(of.folder / "accounts.pem")


def _key(file: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    file.write_bytes(pem)


def _control(of: places.Place) -> None:
    folder, kubeconfig = of.folder, f"--kubeconfig={of.folder}/kubeconfig"
    of.start(
        "etcd",
        *(f"--data-dir={folder}/etcd", f"--listen-client-urls={files.ETCD}", f"--advertise-client-urls={files.ETCD}"),
    )
    of.start(
        "kube-apiserver",
        *(f"--etcd-servers={files.ETCD}", f"--advertise-address={files.NODE}", f"--cert-dir={folder}/pki"),
        *(f"--service-cluster-ip-range={files.SERVICES}", "--service-account-issuer=https://kubernetes.default.svc"),
        *(f"--service-account-key-file={folder}/accounts.pem", "--authorization-mode=AlwaysAllow"),
        *(f"--service-account-signing-key-file={folder}/accounts.pem", f"--token-auth-file={folder}/tokens"),
        *("--allow-privileged", "--kubelet-preferred-address-types=InternalIP"),
    )
    of.until("an API", lambda: of.succeeds("kubectl", "get", "--raw=/readyz"))
    of.start(
        "kube-controller-manager",
        *(kubeconfig, "--leader-elect=false", f"--root-ca-file={folder}/pki/apiserver.crt"),
        f"--service-account-private-key-file={folder}/accounts.pem",
    )
    of.start("kube-scheduler", kubeconfig, "--leader-elect=false")


def _work(of: places.Place) -> None:
    folder, kubeconfig = of.folder, f"--kubeconfig={of.folder}/kubeconfig"
    told = files.CONTAINERD.format(root=folder / "containerd", folder=folder, pause=images.PAUSE)
    (folder / "containerd.toml").write_text(told)
    of.start("containerd", "--config", str(folder / "containerd.toml"))
    of.until("containerd", Path(files.SOCKET).exists)
    kubelet = files.KUBELET | {"cgroupRoot": f"/{cgroups.NAME}", "resolvConf": "/etc/resolv.conf"}
    (folder / "kubelet.json").write_text(json.dumps(kubelet))
    of.start(
        "kubelet",
        *(f"--config={folder}/kubelet.json", kubeconfig, f"--root-dir={folder}/kubelet"),
        *(f"--cert-dir={folder}/kubelet-pki", f"--node-ip={files.NODE}", "--hostname-override=node-1"),
    )
    proxy = files.PROXY | {"clientConnection": {"kubeconfig": f"{folder}/kubeconfig"}, "hostnameOverride": "node-1"}
    (folder / "proxy.json").write_text(json.dumps(proxy))
    of.start("kube-proxy", f"--config={folder}/proxy.json")


def _load(of: places.Place) -> None:
    """All archives at once: most of it is waiting for the disk."""
    with concurrent.futures.ThreadPoolExecutor() as hands:
        list(hands.map(functools.partial(_import, of), sorted((of.folder / "images").glob("*.tar"))))


def _import(of: places.Place, archive: Path) -> None:
    images_of = ("ctr", "--address", files.SOCKET, "--namespace", "k8s.io", "images")
    of.run(*images_of, "import", str(archive))
    first, *others = json.loads(archive.with_suffix(".json").read_text())
    for other in others:
        of.run(*images_of, "tag", first, other)


def _tell(of: places.Place) -> None:
    for words in (("get", "pods", "--all-namespaces", "--output=wide"), ("get", "events", "--all-namespaces")):
        print(of.kubectl(*words, check=False)[-8000:])
    for log in sorted(of.logs.iterdir()):
        print(*(f"{log.name}: {line}" for line in log.read_text().splitlines()[-_LAST_LINES:]), sep="\n")
