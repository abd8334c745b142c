"""Small price lists in the layouts of the real ones; every figure is made up."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

SKYPILOT = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone\n"
)
GPUHUNT = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags\n"


def skypilot(*rows: str) -> bytes:
    return (SKYPILOT + "".join(f"{row}\n" for row in rows)).encode()


def info(name: str, count: int, size: float | None, total: float) -> str:
    """GpuInfo as Python prints it, quoted for CSV."""
    memory = "" if size is None else f", 'MemoryInfo': {{'SizeInMiB': {size}}}"
    return f"\"{{'Gpus': [{{'Name': '{name}', 'Count': {count}{memory}}}], 'TotalGpuMemoryInMiB': {total}}}\""


def gpuhunt(*rows: str, files: tuple[str, ...] = ("cloud.csv",)) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files:
            archive.writestr(name, GPUHUNT + "".join(f"{row}\n" for row in rows))
    return packed.getvalue()


def meter(**changes: Any) -> dict[str, Any]:
    """An item of the Azure API: eight H100 for 80 dollars an hour."""
    return {
        "currencyCode": "USD", "retailPrice": 80.0, "armRegionName": "eastus", "productName": "Virtual Machines X",
        "skuName": "ND96isr H100 v5", "meterName": "ND96isr H100 v5", "unitOfMeasure": "1 Hour", "type": "Consumption",
        "isPrimaryMeterRegion": True, "armSkuName": "Standard_ND96isr_H100_v5",
    } | changes  # fmt: skip


def azure(*items: object, following: Any = None) -> bytes:
    return json.dumps(
        {"BillingCurrency": "USD", "Items": items, "NextPageLink": following, "Count": len(items)}
    ).encode()
