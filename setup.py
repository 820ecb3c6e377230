"""How Trusted Archive is installed: as an application, alone in its own virtual environment.

The rules this file keeps:

* The top-level packages are named one by one. Their names are generic, so nobody else may own them in the same
  environment (`tests/architecture` and `trusted-archive doctor` check that).
* Exact versions live in the hashed lock files; here stand the ranges within which the code is known to work.
* Migrations travel as data, because `alembic/` must not be a package: it would shadow the library of that name.
"""

import re
import sys
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

if sys.platform == "win32":
    raise SystemExit(
        "Trusted Archive does not run on Windows: it relies on POSIX file locks and on fsync of directories. "
        "Use Linux (also in a virtual machine or WSL 2)."
    )

TOP_LEVEL = ["archive_core", "signing", "storage_backends", "api", "policies"]
HERE = Path(__file__).resolve().parent
DATA = ["*.toml", "*.json", "*.yaml", "*.txt", "*.md", "*.html", "*.css", "*.js", "*.po", "*.mo", "*.asn1", "py.typed"]


def version() -> str:
    """Return `__version__` of archive_core, read without importing it."""
    source = (HERE / "archive_core" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise SystemExit("archive_core/__init__.py names no __version__")
    return found.group(1)


def package_data() -> dict[str, list[str]]:
    """Return the data patterns of every package, one folder deep for the folders that are not packages."""
    patterns = DATA + [f"**/{pattern}" for pattern in DATA]
    return dict.fromkeys(TOP_LEVEL, patterns)


def migrations() -> list[tuple[str, list[str]]]:
    """Return the migration scripts as data files: they arrive in `<prefix>/share/trusted-archive/alembic`."""
    target = "share/trusted-archive/alembic"
    return [
        (target, sorted(glob("alembic/*.py") + glob("alembic/*.mako") + glob("alembic/*.md"))),
        (f"{target}/versions", sorted(glob("alembic/versions/*.py"))),
    ]


setup(
    name="trusted-archive",
    version=version(),
    description="Trusted document store: OCFL copies and RFC 4998 evidence records",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="EUPL-1.2",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=TOP_LEVEL + [f"{name}.*" for name in TOP_LEVEL]),
    package_data=package_data(),
    include_package_data=False,
    data_files=migrations(),
    zip_safe=False,
    install_requires=[
        "alembic>=1.20,<2",
        "APScheduler>=3.11,<4",
        "asn1crypto>=1.5.1,<2",
        "boto3>=1.43,<2",
        "botocore>=1.43,<2",
        "cryptography>=50",
        "Flask>=3.1,<4",
        "gunicorn>=27,<28",
        "joserfc>=1.8,<2",
        "lxml>=6,<7",
        "prometheus-client>=0.26,<1",
        "psycopg[binary]>=3.3,<4",
        "pyhanko>=0.38,<0.39",
        "pyhanko-certvalidator>=0.33,<0.34",
        "pyrage>=1.4,<2",
        "python-pkcs11>=0.9.5,<0.10",
        "PyYAML>=6,<7",
        "signxml>=5.2,<6",
        "SQLAlchemy>=2.1,<2.2",
        "urllib3>=2,<3",
        "Werkzeug>=3.1,<4",
    ],
    entry_points={
        "console_scripts": [
            "trusted-archive = api.cli:main",
            "trusted-archive-verify = api.offline.cli:main",
        ]
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Private :: Do Not Upload",
    ],
)
