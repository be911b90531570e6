"""The collections that only this server's own tables have: their fields for queries and sorting (command-api 1.5).

Those of command-api 5.4 are in `query.fields`; these have the names of their records and follow the same rules.
"""

from typing import Final

from agent_sim.query.fields import Collection, Field, Kind

_ID: Final = Field(Kind.GUID, "id")
_NAME: Final = Field(Kind.STRING, "name")
_TYPE: Final = Field(Kind.INTEGER, "cert_store_type")

AGENT_POOLS: Final = Collection(
    "AgentPools",
    {
        "AgentPoolId": _ID,
        "Id": _ID,
        "Name": _NAME,
        "DiscoverAgentsCount": Field(Kind.INTEGER, "discover_agents_count"),
        "MonitorAgentsCount": Field(Kind.INTEGER, "monitor_agents_count"),
    },
)
BLUEPRINTS: Final = Collection(
    "AgentBluePrint",
    {"AgentBlueprintId": _ID, "Id": _ID, "Name": _NAME, "LastModified": Field(Kind.DATE, "last_modified")},
)
BLUEPRINT_STORES: Final = Collection(
    "AgentBluePrint/Stores",
    {
        "AgentBlueprintStoreId": _ID,
        "StorePath": Field(Kind.STRING, "store_path"),
        "CertStoreType": _TYPE,
        "CertStoreTypeName": Field(Kind.STRING, "short_name"),
        "ContainerId": Field(Kind.INTEGER, "container_id"),
    },
)
BLUEPRINT_JOBS: Final = Collection(
    "AgentBluePrint/Jobs",
    {
        "AgentBlueprintJobId": _ID,
        "JobTypeName": Field(Kind.STRING, "job_type"),
        "JobType": Field(Kind.GUID, "type_guid"),
        "RequestTimestamp": Field(Kind.DATE, "requested"),
    },
)
INVENTORY: Final = Collection(
    "CertificateStores/Inventory",
    {
        "Name": Field(Kind.STRING, "alias"),
        "Alias": Field(Kind.STRING, "alias"),
        "CertStoreInventoryItemId": Field(Kind.INTEGER, "id"),
    },
)
CONTAINERS: Final = Collection(
    "CertificateStoreContainers",
    {
        "Id": Field(Kind.INTEGER, "id"),
        "Name": _NAME,
        "OverwriteSchedules": Field(Kind.BOOLEAN, "overwrite_schedules"),
        "Schedule": Field(Kind.STRING, "schedule"),
        "CertStoreType": _TYPE,
        "StoreCount": Field(Kind.INTEGER, "store_count"),
    },
)
STORE_TYPES: Final = Collection(
    "CertificateStoreTypes",
    {
        "StoreType": Field(Kind.INTEGER, "store_type"),
        "Id": Field(Kind.INTEGER, "store_type"),
        "Name": _NAME,
        "ShortName": Field(Kind.STRING, "short_name"),
        "Capability": Field(Kind.STRING, "capability"),
    },
)
CERTIFICATES: Final = Collection(
    "Certificates",
    {
        "Id": Field(Kind.INTEGER, "id"),
        "CertId": Field(Kind.INTEGER, "id"),
        "Thumbprint": Field(Kind.STRING, "thumbprint"),
        "SerialNumber": Field(Kind.STRING, "serial_number"),
        "IssuedDN": Field(Kind.STRING, "issued_dn"),
        "DN": Field(Kind.STRING, "issued_dn"),
        "IssuedCN": Field(Kind.STRING, "issued_cn"),
        "CN": Field(Kind.STRING, "issued_cn"),
        "IssuerDN": Field(Kind.STRING, "issuer_dn"),
        "NotBefore": Field(Kind.DATE, "not_before"),
        "NotAfter": Field(Kind.DATE, "not_after"),
        "ExpirationDate": Field(Kind.DATE, "not_after"),
        "ImportDate": Field(Kind.DATE, "import_date"),
        "SigningAlgorithm": Field(Kind.STRING, "signing_algorithm"),
    },
)
