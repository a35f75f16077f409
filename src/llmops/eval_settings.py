"""The shape of the section ``evals``: what may become part of a dataset, what is scored live, what is watched."""

from pydantic import BaseModel, ConfigDict, Field

from .online_settings import DriftSettings, OnlineSettings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantConsentSettings(_Section):
    """One tenant's."""

    consent: bool = Field(description="Whether this tenant has allowed it.")


class DatasetSettings(_Section):
    """Datasets made of what people wrote and models answered. Nothing is taken without the tenant's consent."""

    consent: bool = Field(
        False, description="Whether captured texts of tenants that are not listed may become part of datasets."
    )
    tenants: dict[str, TenantConsentSettings] = Field(
        {}, max_length=10_000, description="By tenant: `{consent: true}`."
    )

    def basis_of(self, tenant: str) -> str | None:
        """The setting by which this tenant's texts may be used; None: they may not."""
        known = self.tenants.get(tenant)
        if known is not None:
            return f"evals.datasets.tenants.{tenant}.consent" if known.consent else None
        return "evals.datasets.consent" if self.consent else None


class EvalSettings(_Section):
    """Evals."""

    datasets: DatasetSettings = DatasetSettings()
    online: OnlineSettings = OnlineSettings()
    drift: DriftSettings = DriftSettings()
