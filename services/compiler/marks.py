"""The mark that says, to machines, that a film holds pictures made by AI (EU AI Act, Article 50; IPTC and XMP)."""

import uuid
from pathlib import Path

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""What IPTC calls a work of several parts of which at least one was made by a trained model."""
COMMENT = "Contains pictures made by AI."
_XMP = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes  # XMP Specification Part 3, 1.2.7.1: in MP4
_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/\
Iptc4xmpExt/2008-02-29/" xmp:CreatorTool="Rushes" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>""".encode()
_BOX = (24 + len(_PACKET)).to_bytes(4, "big") + b"uuid" + _XMP + _PACKET


def mark(path: Path) -> None:
    """Put the mark behind an MP4 that is whole: as its last box it moves nothing."""
    with path.open("ab") as file:
        file.write(_BOX)


def marked(path: Path) -> bool:
    """Whether it bears the mark."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(_BOX)))
        return file.read() == _BOX
