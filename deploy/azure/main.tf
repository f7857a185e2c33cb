# Made from the mappings by `sentinelone-source template`; make it again, do not edit it.

terraform {
  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.5"
    }
  }
}

variable "workspace_resource_id" {
  type        = string
  description = "The Log Analytics workspace: /subscriptions/.../workspaces/NAME."
}

variable "retention_in_days" {
  type        = number
  description = "How long the tables can be queried, 4 to 730 days; -1: as long as the workspace says."
  default     = -1
}

variable "total_retention_in_days" {
  type        = number
  description = "The same with the archive, 4 to 4383 days; -1: no archive."
  default     = -1
}

variable "sender_principal_id" {
  type        = string
  description = "Who sends: the object id of the service principal (of the enterprise application, not of the app registration) or of the managed identity; empty: no role is granted."
}

variable "dcr_name" {
  type        = string
  description = "The data collection rule's name."
  default     = "dcr-sentinelone"
}

variable "resource_group_id" {
  type        = string
  description = "Where the rule and its alerts go: /subscriptions/.../resourceGroups/NAME; empty: where the workspace is."
  default     = ""
}

variable "data_collection_endpoint_id" {
  type        = string
  description = "A data collection endpoint (private link needs one); empty: the rule's own endpoint."
  default     = ""
}

variable "action_group_id" {
  type        = string
  description = "The action group that the alerts call; empty: none is called."
  default     = ""
}

locals {
  workspace_group_id = join("/", slice(split("/", var.workspace_resource_id), 0, 5))
  resource_group_id  = coalesce(var.resource_group_id, local.workspace_group_id)
}

data "azapi_resource" "workspace" {
  type        = "Microsoft.OperationalInsights/workspaces@2023-09-01"
  resource_id = var.workspace_resource_id
}

data "azapi_client_config" "me" {}

data "azapi_resource" "endpoint" {
  count                  = var.data_collection_endpoint_id == "" ? 0 : 1
  type                   = "Microsoft.Insights/dataCollectionEndpoints@2023-03-11"
  resource_id            = var.data_collection_endpoint_id
  response_export_values = ["properties.logsIngestion.endpoint"]
}

resource "azapi_resource" "table_activities" {
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = "SentinelOneActivities_CL"
  body = {
    properties = {
      plan                 = "Analytics"
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name = "SentinelOneActivities_CL"
        columns = [
          { name = "TimeGenerated", type = "dateTime" },
          { name = "AgentUpdatedVersion", type = "string" },
          { name = "UserId", type = "string" },
          { name = "ThreatId", type = "string" },
          { name = "PrimaryDescription", type = "string" },
          { name = "SecondaryDescription", type = "string" },
          { name = "Id", type = "string" },
          { name = "GroupId", type = "string" },
          { name = "CreatedAt", type = "dateTime" },
          { name = "AccountName", type = "string" },
          { name = "Data", type = "string" },
          { name = "AgentId", type = "string" },
          { name = "Hash", type = "string" },
          { name = "UpdatedAt", type = "dateTime" },
          { name = "Description", type = "string" },
          { name = "ActivityUuid", type = "string" },
          { name = "SiteId", type = "string" },
          { name = "ActivityType", type = "real" },
          { name = "SiteName", type = "string" },
          { name = "AccountId", type = "string" },
          { name = "OsFamily", type = "string" },
          { name = "GroupName", type = "string" },
          { name = "Comments", type = "string" },
        ]
      }
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azapi_resource" "table_agents" {
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = "SentinelOneAgents_CL"
  body = {
    properties = {
      plan                 = "Analytics"
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name = "SentinelOneAgents_CL"
        columns = [
          { name = "TimeGenerated", type = "dateTime" },
          { name = "Uuid", type = "string" },
          { name = "MitigationMode", type = "string" },
          { name = "NetworkStatus", type = "string" },
          { name = "InstallerType", type = "string" },
          { name = "MitigationModeSuspicious", type = "string" },
          { name = "IsPendingUninstall", type = "boolean" },
          { name = "InRemoteShellSession", type = "boolean" },
          { name = "LastLoggedInUserName", type = "string" },
          { name = "OsRevision", type = "string" },
          { name = "OsArch", type = "string" },
          { name = "Id", type = "string" },
          { name = "ComputerName", type = "string" },
          { name = "TotalMemory", type = "real" },
          { name = "CreatedAt", type = "dateTime" },
          { name = "GroupId", type = "string" },
          { name = "LastActiveDate", type = "dateTime" },
          { name = "FullDiskScanLastUpdatedAt", type = "dateTime" },
          { name = "AllowRemoteShell", type = "boolean" },
          { name = "RangerVersion", type = "string" },
          { name = "AccountName", type = "string" },
          { name = "ScanStatus", type = "string" },
          { name = "Domain", type = "string" },
          { name = "MissingPermissions", type = "string" },
          { name = "IsActive", type = "boolean" },
          { name = "GroupIp", type = "string" },
          { name = "ThreatRebootRequired", type = "boolean" },
          { name = "GroupUpdatedAt", type = "dateTime" },
          { name = "ExternalId", type = "string" },
          { name = "MachineType", type = "string" },
          { name = "RegisteredAt", type = "dateTime" },
          { name = "AppsVulnerabilityStatus", type = "string" },
          { name = "CoreCount", type = "real" },
          { name = "Locations", type = "string" },
          { name = "ScanFinishedAt", type = "dateTime" },
          { name = "UpdatedAt", type = "dateTime" },
          { name = "ExternalIp", type = "string" },
          { name = "LocationType", type = "string" },
          { name = "PolicyUpdatedAt", type = "dateTime" },
          { name = "IsDecommissioned", type = "boolean" },
          { name = "CpuId", type = "string" },
          { name = "NetworkInterfaces", type = "string" },
          { name = "IsUninstalled", type = "boolean" },
          { name = "ActiveDirectory", type = "string" },
          { name = "ScanStartedAt", type = "dateTime" },
          { name = "RangerStatus", type = "string" },
          { name = "SiteId", type = "string" },
          { name = "AgentVersion", type = "string" },
          { name = "OsUsername", type = "string" },
          { name = "EncryptedApplications", type = "boolean" },
          { name = "LastIpToMgmt", type = "string" },
          { name = "CpuCount", type = "real" },
          { name = "ScanAbortedAt", type = "dateTime" },
          { name = "SiteName", type = "string" },
          { name = "ActiveThreats", type = "real" },
          { name = "Infected", type = "boolean" },
          { name = "ConsoleMigrationStatus", type = "string" },
          { name = "OsType", type = "string" },
          { name = "AccountId", type = "string" },
          { name = "GroupName", type = "string" },
          { name = "OsName", type = "string" },
          { name = "IsUpToDate", type = "boolean" },
          { name = "LicenseKey", type = "string" },
          { name = "UserActionsNeeded", type = "string" },
          { name = "ModelName", type = "string" },
          { name = "OsStartTime", type = "dateTime" },
          { name = "NetworkQuarantineEnabled", type = "boolean" },
          { name = "OperationalStateExpiration", type = "string" },
          { name = "RemoteProfilingState", type = "string" },
        ]
      }
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
  depends_on                = [azapi_resource.table_activities]

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azapi_resource" "table_alerts" {
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = "SentinelOneAlerts_CL"
  body = {
    properties = {
      plan                 = "Analytics"
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name = "SentinelOneAlerts_CL"
        columns = [
          { name = "TimeGenerated", type = "dateTime" },
          { name = "SourceProcessInfo", type = "string" },
          { name = "AlertInfo", type = "string" },
          { name = "AgentDetectionInfo", type = "string" },
          { name = "RuleInfo", type = "string" },
          { name = "ContainerInfo", type = "string" },
          { name = "SourceParentProcessInfo", type = "string" },
          { name = "TargetProcessInfo", type = "string" },
          { name = "KubernetesInfo", type = "string" },
        ]
      }
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
  depends_on                = [azapi_resource.table_agents]

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azapi_resource" "table_groups" {
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = "SentinelOneGroups_CL"
  body = {
    properties = {
      plan                 = "Analytics"
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name = "SentinelOneGroups_CL"
        columns = [
          { name = "TimeGenerated", type = "dateTime" },
          { name = "Creator", type = "string" },
          { name = "RegistrationToken", type = "string" },
          { name = "IsDefault", type = "string" },
          { name = "UpdatedAt", type = "dateTime" },
          { name = "TotalAgents", type = "string" },
          { name = "Inherits", type = "string" },
          { name = "Name", type = "string" },
          { name = "Rank", type = "real" },
          { name = "FilterName", type = "string" },
          { name = "GroupType", type = "string" },
          { name = "Id", type = "string" },
          { name = "CreatedAt", type = "dateTime" },
          { name = "CreatorId", type = "string" },
          { name = "SiteId", type = "string" },
          { name = "FilterId", type = "string" },
        ]
      }
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
  depends_on                = [azapi_resource.table_alerts]

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azapi_resource" "table_threats" {
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = "SentinelOneThreats_CL"
  body = {
    properties = {
      plan                 = "Analytics"
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name = "SentinelOneThreats_CL"
        columns = [
          { name = "TimeGenerated", type = "dateTime" },
          { name = "FilePath", type = "string" },
          { name = "CloudVerdict", type = "string" },
          { name = "MitigationMode", type = "string" },
          { name = "AgentOsType", type = "string" },
          { name = "AgentInfected", type = "boolean" },
          { name = "InitiatingUserId", type = "string" },
          { name = "Engines", type = "string" },
          { name = "Id", type = "string" },
          { name = "FileExtensionType", type = "string" },
          { name = "MitigationStatus", type = "string" },
          { name = "AgentDomain", type = "string" },
          { name = "CreatedAt", type = "dateTime" },
          { name = "IsCertValid", type = "boolean" },
          { name = "FileDisplayName", type = "string" },
          { name = "AgentIp", type = "string" },
          { name = "AccountName", type = "string" },
          { name = "AgentMachineType", type = "string" },
          { name = "FileVerificationType", type = "string" },
          { name = "Indicators", type = "string" },
          { name = "InitiatedByDescription", type = "string" },
          { name = "AutomaticallyResolved", type = "boolean" },
          { name = "AgentId", type = "string" },
          { name = "ProcessArguments", type = "string" },
          { name = "MitigationReport", type = "string" },
          { name = "ThreatName", type = "string" },
          { name = "ClassificationSource", type = "string" },
          { name = "UpdatedAt", type = "dateTime" },
          { name = "InitiatedBy", type = "string" },
          { name = "AgentNetworkStatus", type = "string" },
          { name = "AgentComputerName", type = "string" },
          { name = "Classification", type = "string" },
          { name = "CertId", type = "string" },
          { name = "AgentIsActive", type = "boolean" },
          { name = "SiteId", type = "string" },
          { name = "AgentVersion", type = "string" },
          { name = "FileContentHash", type = "string" },
          { name = "WhiteningOptions", type = "string" },
          { name = "Username", type = "string" },
          { name = "FileSha256", type = "string" },
          { name = "AgentIsDecommissioned", type = "boolean" },
          { name = "CollectionId", type = "string" },
          { name = "SiteName", type = "string" },
          { name = "AccountId", type = "string" },
          { name = "ThreatInfo", type = "dynamic" },
          { name = "AgentDetectionInfo", type = "dynamic" },
          { name = "AgentRealtimeInfo", type = "dynamic" },
        ]
      }
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
  depends_on                = [azapi_resource.table_groups]

  # Without the table its rows are gone too. `terraform state rm` lets go of it and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "azapi_resource" "rule" {
  type      = "Microsoft.Insights/dataCollectionRules@2023-03-11"
  parent_id = local.resource_group_id
  name      = var.dcr_name
  location  = data.azapi_resource.workspace.location
  body = {
    kind = "Direct"
    properties = {
      description              = "SentinelOne rows, from sentinelone-source"
      dataCollectionEndpointId = var.data_collection_endpoint_id == "" ? null : var.data_collection_endpoint_id
      streamDeclarations = {
        Custom-SentinelOneActivities_CL = {
          columns = [
            { name = "TimeGenerated", type = "datetime" },
            { name = "AgentUpdatedVersion", type = "string" },
            { name = "UserId", type = "string" },
            { name = "ThreatId", type = "string" },
            { name = "PrimaryDescription", type = "string" },
            { name = "SecondaryDescription", type = "string" },
            { name = "Id", type = "string" },
            { name = "GroupId", type = "string" },
            { name = "CreatedAt", type = "datetime" },
            { name = "AccountName", type = "string" },
            { name = "Data", type = "string" },
            { name = "AgentId", type = "string" },
            { name = "Hash", type = "string" },
            { name = "UpdatedAt", type = "datetime" },
            { name = "Description", type = "string" },
            { name = "ActivityUuid", type = "string" },
            { name = "SiteId", type = "string" },
            { name = "ActivityType", type = "real" },
            { name = "SiteName", type = "string" },
            { name = "AccountId", type = "string" },
            { name = "OsFamily", type = "string" },
            { name = "GroupName", type = "string" },
            { name = "Comments", type = "string" },
          ]
        }
        Custom-SentinelOneAgents_CL = {
          columns = [
            { name = "TimeGenerated", type = "datetime" },
            { name = "Uuid", type = "string" },
            { name = "MitigationMode", type = "string" },
            { name = "NetworkStatus", type = "string" },
            { name = "InstallerType", type = "string" },
            { name = "MitigationModeSuspicious", type = "string" },
            { name = "IsPendingUninstall", type = "boolean" },
            { name = "InRemoteShellSession", type = "boolean" },
            { name = "LastLoggedInUserName", type = "string" },
            { name = "OsRevision", type = "string" },
            { name = "OsArch", type = "string" },
            { name = "Id", type = "string" },
            { name = "ComputerName", type = "string" },
            { name = "TotalMemory", type = "real" },
            { name = "CreatedAt", type = "datetime" },
            { name = "GroupId", type = "string" },
            { name = "LastActiveDate", type = "datetime" },
            { name = "FullDiskScanLastUpdatedAt", type = "datetime" },
            { name = "AllowRemoteShell", type = "boolean" },
            { name = "RangerVersion", type = "string" },
            { name = "AccountName", type = "string" },
            { name = "ScanStatus", type = "string" },
            { name = "Domain", type = "string" },
            { name = "MissingPermissions", type = "string" },
            { name = "IsActive", type = "boolean" },
            { name = "GroupIp", type = "string" },
            { name = "ThreatRebootRequired", type = "boolean" },
            { name = "GroupUpdatedAt", type = "datetime" },
            { name = "ExternalId", type = "string" },
            { name = "MachineType", type = "string" },
            { name = "RegisteredAt", type = "datetime" },
            { name = "AppsVulnerabilityStatus", type = "string" },
            { name = "CoreCount", type = "real" },
            { name = "Locations", type = "string" },
            { name = "ScanFinishedAt", type = "datetime" },
            { name = "UpdatedAt", type = "datetime" },
            { name = "ExternalIp", type = "string" },
            { name = "LocationType", type = "string" },
            { name = "PolicyUpdatedAt", type = "datetime" },
            { name = "IsDecommissioned", type = "boolean" },
            { name = "CpuId", type = "string" },
            { name = "NetworkInterfaces", type = "string" },
            { name = "IsUninstalled", type = "boolean" },
            { name = "ActiveDirectory", type = "string" },
            { name = "ScanStartedAt", type = "datetime" },
            { name = "RangerStatus", type = "string" },
            { name = "SiteId", type = "string" },
            { name = "AgentVersion", type = "string" },
            { name = "OsUsername", type = "string" },
            { name = "EncryptedApplications", type = "boolean" },
            { name = "LastIpToMgmt", type = "string" },
            { name = "CpuCount", type = "real" },
            { name = "ScanAbortedAt", type = "datetime" },
            { name = "SiteName", type = "string" },
            { name = "ActiveThreats", type = "real" },
            { name = "Infected", type = "boolean" },
            { name = "ConsoleMigrationStatus", type = "string" },
            { name = "OsType", type = "string" },
            { name = "AccountId", type = "string" },
            { name = "GroupName", type = "string" },
            { name = "OsName", type = "string" },
            { name = "IsUpToDate", type = "boolean" },
            { name = "LicenseKey", type = "string" },
            { name = "UserActionsNeeded", type = "string" },
            { name = "ModelName", type = "string" },
            { name = "OsStartTime", type = "datetime" },
            { name = "NetworkQuarantineEnabled", type = "boolean" },
            { name = "OperationalStateExpiration", type = "string" },
            { name = "RemoteProfilingState", type = "string" },
          ]
        }
        Custom-SentinelOneAlerts_CL = {
          columns = [
            { name = "TimeGenerated", type = "datetime" },
            { name = "SourceProcessInfo", type = "string" },
            { name = "AlertInfo", type = "string" },
            { name = "AgentDetectionInfo", type = "string" },
            { name = "RuleInfo", type = "string" },
            { name = "ContainerInfo", type = "string" },
            { name = "SourceParentProcessInfo", type = "string" },
            { name = "TargetProcessInfo", type = "string" },
            { name = "KubernetesInfo", type = "string" },
          ]
        }
        Custom-SentinelOneGroups_CL = {
          columns = [
            { name = "TimeGenerated", type = "datetime" },
            { name = "Creator", type = "string" },
            { name = "RegistrationToken", type = "string" },
            { name = "IsDefault", type = "string" },
            { name = "UpdatedAt", type = "datetime" },
            { name = "TotalAgents", type = "string" },
            { name = "Inherits", type = "string" },
            { name = "Name", type = "string" },
            { name = "Rank", type = "real" },
            { name = "FilterName", type = "string" },
            { name = "GroupType", type = "string" },
            { name = "Id", type = "string" },
            { name = "CreatedAt", type = "datetime" },
            { name = "CreatorId", type = "string" },
            { name = "SiteId", type = "string" },
            { name = "FilterId", type = "string" },
          ]
        }
        Custom-SentinelOneThreats_CL = {
          columns = [
            { name = "TimeGenerated", type = "datetime" },
            { name = "FilePath", type = "string" },
            { name = "CloudVerdict", type = "string" },
            { name = "MitigationMode", type = "string" },
            { name = "AgentOsType", type = "string" },
            { name = "AgentInfected", type = "boolean" },
            { name = "InitiatingUserId", type = "string" },
            { name = "Engines", type = "string" },
            { name = "Id", type = "string" },
            { name = "FileExtensionType", type = "string" },
            { name = "MitigationStatus", type = "string" },
            { name = "AgentDomain", type = "string" },
            { name = "CreatedAt", type = "datetime" },
            { name = "IsCertValid", type = "boolean" },
            { name = "FileDisplayName", type = "string" },
            { name = "AgentIp", type = "string" },
            { name = "AccountName", type = "string" },
            { name = "AgentMachineType", type = "string" },
            { name = "FileVerificationType", type = "string" },
            { name = "Indicators", type = "string" },
            { name = "InitiatedByDescription", type = "string" },
            { name = "AutomaticallyResolved", type = "boolean" },
            { name = "AgentId", type = "string" },
            { name = "ProcessArguments", type = "string" },
            { name = "MitigationReport", type = "string" },
            { name = "ThreatName", type = "string" },
            { name = "ClassificationSource", type = "string" },
            { name = "UpdatedAt", type = "datetime" },
            { name = "InitiatedBy", type = "string" },
            { name = "AgentNetworkStatus", type = "string" },
            { name = "AgentComputerName", type = "string" },
            { name = "Classification", type = "string" },
            { name = "CertId", type = "string" },
            { name = "AgentIsActive", type = "boolean" },
            { name = "SiteId", type = "string" },
            { name = "AgentVersion", type = "string" },
            { name = "FileContentHash", type = "string" },
            { name = "WhiteningOptions", type = "string" },
            { name = "Username", type = "string" },
            { name = "FileSha256", type = "string" },
            { name = "AgentIsDecommissioned", type = "boolean" },
            { name = "CollectionId", type = "string" },
            { name = "SiteName", type = "string" },
            { name = "AccountId", type = "string" },
            { name = "ThreatInfo", type = "dynamic" },
            { name = "AgentDetectionInfo", type = "dynamic" },
            { name = "AgentRealtimeInfo", type = "dynamic" },
          ]
        }
      }
      destinations = {
        logAnalytics = [
          {
            name                = "workspace"
            workspaceResourceId = var.workspace_resource_id
          },
        ]
      }
      dataFlows = [
        {
          streams      = ["Custom-SentinelOneActivities_CL"]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-SentinelOneActivities_CL"
        },
        {
          streams      = ["Custom-SentinelOneAgents_CL"]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-SentinelOneAgents_CL"
        },
        {
          streams      = ["Custom-SentinelOneAlerts_CL"]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-SentinelOneAlerts_CL"
        },
        {
          streams      = ["Custom-SentinelOneGroups_CL"]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-SentinelOneGroups_CL"
        },
        {
          streams      = ["Custom-SentinelOneThreats_CL"]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-SentinelOneThreats_CL"
        },
      ]
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = ["properties.immutableId", "properties.endpoints.logsIngestion"]
  depends_on                = [azapi_resource.table_activities, azapi_resource.table_agents, azapi_resource.table_alerts, azapi_resource.table_groups, azapi_resource.table_threats]
}

resource "azapi_resource" "sender" {
  count     = var.sender_principal_id == "" ? 0 : 1
  type      = "Microsoft.Authorization/roleAssignments@2022-04-01"
  parent_id = azapi_resource.rule.id
  name      = uuidv5("url", "${azapi_resource.rule.id}/${var.sender_principal_id}/3913510d-42f4-4e42-8a64-420c390055eb")
  body = {
    properties = {
      roleDefinitionId = "/subscriptions/${split("/", local.resource_group_id)[2]}/providers/Microsoft.Authorization/roleDefinitions/3913510d-42f4-4e42-8a64-420c390055eb"
      principalId      = var.sender_principal_id
      principalType    = "ServicePrincipal"
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

resource "azapi_resource" "errors" {
  type      = "Microsoft.Insights/diagnosticSettings@2021-05-01-preview"
  parent_id = azapi_resource.rule.id
  name      = "errors-to-workspace"
  body = {
    properties = {
      workspaceId = var.workspace_resource_id
      logs = [
        {
          category = "LogErrors"
          enabled  = true
        },
      ]
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

resource "azapi_resource" "rows_dropped" {
  type      = "Microsoft.Insights/metricAlerts@2018-03-01"
  parent_id = local.resource_group_id
  name      = "${var.dcr_name}-rows-dropped"
  location  = "global"
  body = {
    properties = {
      description         = "Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors."
      severity            = 1
      enabled             = true
      autoMitigate        = true
      scopes              = [azapi_resource.rule.id]
      evaluationFrequency = "PT5M"
      windowSize          = "PT15M"
      criteria = {
        "odata.type" = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
        allOf = [
          {
            criterionType   = "StaticThresholdCriterion"
            name            = "rows-dropped"
            metricNamespace = "Microsoft.Insights/dataCollectionRules"
            metricName      = "RowsDropped_Count"
            timeAggregation = "Total"
            operator        = "GreaterThan"
            threshold       = 0
            dimensions = [
              {
                name     = "InputStreamId"
                operator = "Include"
                values   = ["*"]
              },
            ]
            skipMetricValidation = true
          },
        ]
      }
      actions = [for id in compact([var.action_group_id]) : { actionGroupId = id }]
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

resource "azapi_resource" "transformation_errors" {
  type      = "Microsoft.Insights/metricAlerts@2018-03-01"
  parent_id = local.resource_group_id
  name      = "${var.dcr_name}-transformation-errors"
  location  = "global"
  body = {
    properties = {
      description         = "Azure could not transform SentinelOne rows; see the table DCRLogErrors."
      severity            = 1
      enabled             = true
      autoMitigate        = true
      scopes              = [azapi_resource.rule.id]
      evaluationFrequency = "PT5M"
      windowSize          = "PT15M"
      criteria = {
        "odata.type" = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
        allOf = [
          {
            criterionType   = "StaticThresholdCriterion"
            name            = "transformation-errors"
            metricNamespace = "Microsoft.Insights/dataCollectionRules"
            metricName      = "TransformationErrors_Count"
            timeAggregation = "Count"
            operator        = "GreaterThan"
            threshold       = 0
            dimensions = [
              {
                name     = "InputStreamId"
                operator = "Include"
                values   = ["*"]
              },
            ]
            skipMetricValidation = true
          },
        ]
      }
      actions = [for id in compact([var.action_group_id]) : { actionGroupId = id }]
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

output "tenant_id" {
  description = "The Entra tenant."
  value       = data.azapi_client_config.me.tenant_id
}

output "endpoint" {
  description = "The logs ingestion endpoint."
  value       = var.data_collection_endpoint_id == "" ? azapi_resource.rule.output.properties.endpoints.logsIngestion : data.azapi_resource.endpoint[0].output.properties.logsIngestion.endpoint
}

output "dcr_immutable_id" {
  description = "What the rule is called in the ingestion URL."
  value       = azapi_resource.rule.output.properties.immutableId
}

output "dcr_resource_id" {
  description = "The rule; doctor compares it with the mappings."
  value       = azapi_resource.rule.id
}
