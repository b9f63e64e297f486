# SPDX-License-Identifier: BSD-2-Clause
"""Digests of Debian 12's firmware packages, by sev-snp-measure 0.0.13 and others."""

# The files of ovmf 2022.11-6+deb12u2, by their SHA-256: another version has other digests.
DEBIAN = {
    "OVMF_CODE.fd": "d9b568def24088c92f34b5479e0ed7e44d0a4d4cea8a0f5716719180bba48106",
    "OVMF_CODE.secboot.fd": "6ee6a5db7a1443d17594f1e00e3cf2a2250bc1c95c8f9101bc49c9977ce11a68",
    "OVMF.fd": "7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773",
    "OVMF_VARS.fd": "6ed987af3a3c155be71665f510eae3e007eda9b8b94afd59d45e91c4a11565cc",
    "OVMF_VARS_4M.fd": "5d2ac383371b408398accee7ec27c8c09ea5b74a0de0ceea6513388b15be5d1e",
    "OVMF_VARS_4M.snakeoil.fd": "4460f43fb13d627f5b31e3457d08d4315e41ef4666d06808a4f981f6ee1e91bd",
    "OVMF_VARS.ms.fd": "13af965841a14cb19f5c3f15a73beb5c7fa82caac7216275122d1c763aac5eb1",
    "OVMF_VARS_4M.ms.fd": "e6044c5d1fd81998a5967d907ec425e48da534832c7d9b0b4c7a702b62019c50",
}
# technology, file, vCPUs, CPU, VMM, digest
LAUNCHES = (
    ("sev", "OVMF_CODE.fd", 1, "EPYC-v4", "qemu",
     "d9b568def24088c92f34b5479e0ed7e44d0a4d4cea8a0f5716719180bba48106"),
    ("sev", "OVMF_CODE.secboot.fd", 1, "EPYC-v4", "qemu",
     "6ee6a5db7a1443d17594f1e00e3cf2a2250bc1c95c8f9101bc49c9977ce11a68"),
    ("seves", "OVMF.fd", 2, "EPYC", "qemu",
     "5b1d28d8e8b3c2c9939d39bf18a7f05b16935279425c1c1e1ab19109acca9ffd"),
    ("seves", "OVMF.fd", 2, "EPYC-Milan", "qemu",
     "e0adde7468e70028fce4c0150878129230f27fdba89f9db65682f82819b70763"),
    ("seves", "OVMF.fd", 2, "EPYC-Turin", "qemu",
     "23bfbfadd560e3e26d57c0df7b23880b522783f977074d6ed858089012cae715"),
    ("seves", "OVMF.fd", 4, "EPYC-Milan", "ec2",
     "372cac8fa824cfad8d2a48840eb03770bb1b6d30a3af3a539eb1cc1748427df0"),
    ("snp", "OVMF.fd", 1, "EPYC", "qemu",
     "11570979c77a0adb515761a702527c8b9e11554e730552621d950988613a3a75"
     "c6ff1703f540bd22a9beede8fe7a97e3"),
    ("snp", "OVMF.fd", 1, "EPYC-Milan", "qemu",
     "80479ca85a2b182c026f6a3a2f2b180ab968d84b17540dd30de39039e70b8c0c"
     "33ead2cae6d34e37750035fcff60bfc8"),
    ("snp", "OVMF.fd", 1, "EPYC-Turin", "qemu",
     "99c1df0f55572eef834a3c9c2fda6885666c9b06dd4b43b3f511fcc01deb48f8"
     "c06deaa792663e839d6c22afd29740b0"),
    ("snp", "OVMF.fd", 4, "EPYC-Milan", "qemu",
     "e9c10ab98f8086bf4a4993dcdc1f768b1128bcb02301d1791f1d3274329e790d"
     "b2d12a301d66d99a462a13b5d87e2840"),
    ("snp", "OVMF.fd", 512, "EPYC-Milan", "qemu",
     "ac1152f6d94930e8bf4b49f5d4031b5e32954a757afd3104e10ad31a5ae30d24"
     "e48e04a820a9aae137c6d1c8bc81f7aa"),
    ("snp", "OVMF.fd", 4, "EPYC-v4", "ec2",
     "247ad4ffd2aa671f172a61d8fc73337c2b3489dae4e53a8d9dd2d96d3b71b35a"
     "b008b3581c496f99810fe72bfd84d5ac"),
    ("snp", "OVMF_CODE.secboot.fd", 2, "EPYC-v4", "qemu",
     "bb61c9ee084ad4c2d132fb1ab35932b7f80b88d00b5d8350f94880b4dd0f8fa7"
     "d3f3630a5691ba6023de162632ace971"),
)
# SHA-384 streams of OVMF.fd: MRTD page by page, the TD HOB of 64 GiB (a real guest's log has it).
MRTD = ("4c7206f0f483c524f12c366c711e9049030a8d47c471ee5a"
        "a9c4999a08de4057fb887fed0744d5631a212967fb231c47")
TD_HOB = ("8ae1e425351df7992c444586eff99d35af3b779aa2b0e981"
          "cb4b73bc5b279f2ade19b6a62a203fc3c3bbdaae80af596d")
# PCR 7, SHA-256: file, Secure Boot, absent variables left out, digest
PCR7 = (
    ("OVMF_VARS.fd", "absent", False,
     "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439"),
    ("OVMF_VARS.fd", "on", True,
     "3a765fab0c4555e805964d8c75231894f45c5a6f2161738cf157015250a3e624"),
    ("OVMF_VARS_4M.snakeoil.fd", "on", True,
     "3218b794a8ef4ab13903f0fc1cd167c9cc247a001201d28540d6c01e90f8fc36"),
    ("OVMF_VARS_4M.ms.fd", "off", True,
     "81b7f651b9b1f31e4824b72743979a27f1b1aa4b3b058c49c297494e2b5d4843"),
)
