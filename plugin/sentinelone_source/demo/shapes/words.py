"""The vocabulary of the made-up tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from random import Random

ACCOUNTS: Final = ("Northwind Manufacturing", "Brightwater Health")
SITES: Final = (
    ("Rotterdam Plant", "Head Office"),
    ("Clinics North", "Zürich Labs"),
)
GROUPS: Final = (
    "Default Group",
    "Domain Controllers",
    "Engineering Workstations",
    "Kiosks",
    "Build Servers",
    "Férias e viagens",
    "Point of Sale",
    "Executives",
    "Lab Instruments",
    "Jump Hosts",
)
PEOPLE: Final = (
    ("Marta", "Lindqvist"),
    ("Tomás", "Ferreira"),
    ("Yuki", "Tanaka"),
    ("Jürgen", "Weiß"),
    ("Amara", "Okafor"),
    ("Daniel", "Whitcombe"),
    ("Zoë", "van Dijk"),
    ("Priya", "Raghunathan"),
    ("Łukasz", "Zieliński"),
    ("Grace", "Holloway"),
    ("Ибрагим", "Соколов"),
    ("Chen", "Wei"),
)


class System(NamedTuple):
    """An operating system as the console names it."""

    family: str
    name: str
    revision: str
    installer: str
    homes: str
    tools: tuple[str, ...]


WINDOWS: Final = System(
    "windows",
    "Windows 11 Enterprise",
    "26100",
    ".msi",
    "\\Device\\HarddiskVolume3\\Users\\{user}\\Downloads\\{file}",
    ("powershell.exe", "rundll32.exe", "wscript.exe", "cmd.exe", "mshta.exe", "certutil.exe"),
)
WINDOWS_SERVER: Final = WINDOWS._replace(name="Windows Server 2022 Datacenter", revision="20348")
MACOS: Final = System(
    "macos",
    "macOS",
    "15.5 (24F74)",
    ".pkg",
    "/Users/{user}/Downloads/{file}",
    ("osascript", "zsh", "curl", "python3", "launchctl"),
)
LINUX: Final = System(
    "linux",
    "Linux",
    "Ubuntu 24.04.2 LTS 6.8.0-60-generic",
    ".deb",
    "/home/{user}/.cache/{file}",
    ("bash", "curl", "python3", "sshd", "kworker", "busybox"),
)
SYSTEMS: Final = (WINDOWS, WINDOWS, WINDOWS, WINDOWS_SERVER, WINDOWS_SERVER, MACOS, LINUX, LINUX)

AGENT_VERSIONS: Final = ("24.2.3.471", "24.1.5.277", "23.4.4.223", "25.1.2.108")
PROCESSORS: Final = (
    "Intel(R) Core(TM) Ultra 7 165U",
    "Intel(R) Xeon(R) Gold 6430 CPU @ 2.10GHz",
    "AMD EPYC 9354 32-Core Processor",
    "Apple M3 Pro",
)
MODELS: Final = (
    "Dell Inc. - Latitude 7450",
    "LENOVO - 21HDCTO1WW",
    "VMware, Inc. - VMware20,1",
    "HP - HP EliteBook 840 14 inch G11",
    "Apple Inc. - Mac15,6",
)
FILES: Final = (
    "invoice_2291.pdf.exe",
    "setup-helper.dll",
    "Überweisung März.docm",
    "kdevtmpfsi",
    "update.ps1",
    "Chrome Update.dmg",
    "libcrypt-miner.so",
    "納品書.xlsm",
    "teams_installer.msi",
    "svch0st.exe",
)
CLASSIFICATIONS: Final = ("Malware", "Trojan", "Ransomware", "Infostealer", "Cryptominer", "PUA")
ENGINES: Final = (
    ("reputation", "SentinelOne Cloud"),
    ("pre_execution", "On-Write Static AI"),
    ("pre_execution_suspicious", "On-Write Static AI - Suspicious"),
    ("data_files", "Documents, Scripts"),
    ("executables", "Behavioral AI"),
)
RULES: Final = (
    "Encoded PowerShell from an Office process",
    "LSASS memory read by an unsigned process",
    "New service with a random name",
    "Outbound SMB to the internet",
    "Shadow copies deleted",
    "Linux reverse shell over /dev/tcp",
    "Überlange Kommandozeile mit Base64",
)
TACTICS: Final = (
    ("Execution", "T1059", "Command and Scripting Interpreter"),
    ("Persistence", "T1547", "Boot or Logon Autostart Execution"),
    ("Privilege Escalation", "T1055", "Process Injection"),
    ("Defense Evasion", "T1027", "Obfuscated Files or Information"),
    ("Credential Access", "T1003", "OS Credential Dumping"),
    ("Discovery", "T1082", "System Information Discovery"),
    ("Lateral Movement", "T1021", "Remote Services"),
    ("Command and Control", "T1071", "Application Layer Protocol"),
    ("Exfiltration", "T1041", "Exfiltration Over C2 Channel"),
    ("Impact", "T1486", "Data Encrypted for Impact"),
)
INDICATORS: Final = (
    ("Evasion", "The code was obfuscated to make static analysis harder for security products."),
    ("Persistence", "A program registered itself to start again when the user logs on."),
    ("InfoStealer", "A process read the store in which a browser keeps its saved passwords."),
    ("Injection", "A process wrote into the memory of another process and started a thread there."),
    ("Ransomware", "Many documents were rewritten with content of high entropy within seconds."),
    ("Discovery", "A process listed the members of the domain's administrative groups."),
    ("General", "An unsigned binary was started from a directory that any user can write to."),
    ("PostExploitation", "A known penetration framework's named pipe was opened by the process."),
    ("Reconnaissance", "The machine's network neighbours were scanned for open SMB ports."),
)


def hexes(rng: Random, digits: int) -> str:
    """That many random hexadecimal digits: a hash."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def uuid(rng: Random) -> str:
    """A random version 4 UUID."""
    h = hexes(rng, 32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def big_int(rng: Random) -> int:
    """An integer that a double cannot hold."""
    return (1 << 60) + rng.getrandbits(59) | 1


def external_ip(rng: Random) -> str:
    """A public address out of the range kept for documentation."""
    return f"203.0.113.{rng.randrange(1, 255)}"
