# The tables in Log Analytics, the data collection rule, the sender's role, the error log and the
# alerts. `sentinelone-source template --format terraform` prints this file with the tables of your
# mappings in place of tables.json.

terraform {
  required_providers {
    # azapi sends the same bodies as ARM and Bicep, and supports rules with an endpoint of their own.
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

locals {
  tables = jsondecode(file("${path.module}/tables.json"))
}

# ==== tables ====

variable "retention_in_days" {
  type        = number
  description = "Days that the tables can be queried, 4 to 730. -1: the setting of the workspace."
  default     = -1
}

variable "total_retention_in_days" {
  type        = number
  description = "Days that the tables are kept, archive included, 4 to 4383. -1: no archive."
  default     = -1
}

resource "azapi_resource" "table" {
  for_each  = { for item in local.tables : item.name => item }
  type      = "Microsoft.OperationalInsights/workspaces/tables@2023-09-01"
  parent_id = var.workspace_resource_id
  name      = each.key
  body = {
    properties = {
      plan = "Analytics"
      # Azure answers -1 with the days of the workspace, which Terraform would take for a change.
      retentionInDays      = var.retention_in_days == -1 ? null : var.retention_in_days
      totalRetentionInDays = var.total_retention_in_days == -1 ? null : var.total_retention_in_days
      schema = {
        name    = each.key
        columns = each.value.columns
      }
    }
  }
  # One after another: a workspace refuses concurrent changes.
  locks                     = [var.workspace_resource_id]
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []

  # Destroying a table deletes its rows. `terraform state rm` releases a table and keeps them.
  lifecycle {
    prevent_destroy = true
  }
}

# Version 0.1.0 had one resource for each table.
moved {
  from = azapi_resource.table_activities
  to   = azapi_resource.table["SentinelOneActivities_CL"]
}

moved {
  from = azapi_resource.table_agents
  to   = azapi_resource.table["SentinelOneAgents_CL"]
}

moved {
  from = azapi_resource.table_alerts
  to   = azapi_resource.table["SentinelOneAlerts_CL"]
}

moved {
  from = azapi_resource.table_groups
  to   = azapi_resource.table["SentinelOneGroups_CL"]
}

moved {
  from = azapi_resource.table_threats
  to   = azapi_resource.table["SentinelOneThreats_CL"]
}

# ==== parser ====

variable "with_parser" {
  type        = bool
  description = "Whether to install the workspace function SentinelOne."
  default     = false # true with --with-parser
}

resource "azapi_resource" "parser" {
  count      = var.with_parser ? 1 : 0
  depends_on = [azapi_resource.table]
  type       = "Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01"
  parent_id  = var.workspace_resource_id
  name       = "sentinelone-source-parser"
  body = {
    etag = "*"
    properties = {
      category      = "SentinelOne"
      displayName   = "SentinelOne"
      functionAlias = "SentinelOne"
      query         = file("${path.module}/SentinelOne.kql")
      version       = 2
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

# ==== rule ====

variable "sender_principal_id" {
  type        = string
  description = "Object id of the service principal or managed identity that sends; not of the app registration. Empty: no role is granted."
}

variable "dcr_name" {
  type        = string
  description = "Name of the data collection rule."
  default     = "dcr-sentinelone"
}

variable "resource_group_id" {
  type        = string
  description = "Resource group of the rule and its alerts: /subscriptions/.../resourceGroups/NAME. Empty: that of the workspace."
  default     = ""
}

variable "data_collection_endpoint_id" {
  type        = string
  description = "A data collection endpoint, which private link needs. Empty: the endpoint of the rule."
  default     = ""
}

variable "action_group_id" {
  type        = string
  description = "The action group that the alerts call. Empty: none."
  default     = ""
}

locals {
  workspace_group_id = join("/", slice(split("/", var.workspace_resource_id), 0, 5))
  resource_group_id  = coalesce(var.resource_group_id, local.workspace_group_id)

  # Monitoring Metrics Publisher: the built-in role that may send to a rule.
  sender_role = "3913510d-42f4-4e42-8a64-420c390055eb"

  alerts = {
    rows-dropped = {
      metric      = "RowsDropped_Count"
      aggregation = "Total"
      description = "Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors."
    }
    transformation-errors = {
      metric      = "TransformationErrors_Count"
      aggregation = "Count"
      description = "Azure could not transform SentinelOne rows; see the table DCRLogErrors."
    }
  }
}

data "azapi_client_config" "me" {}

data "azapi_resource" "workspace" {
  type        = "Microsoft.OperationalInsights/workspaces@2023-09-01"
  resource_id = var.workspace_resource_id
}

data "azapi_resource" "endpoint" {
  count                  = var.data_collection_endpoint_id == "" ? 0 : 1
  type                   = "Microsoft.Insights/dataCollectionEndpoints@2023-03-11"
  resource_id            = var.data_collection_endpoint_id
  response_export_values = ["properties.logsIngestion.endpoint"]
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
      # The same columns as the tables. The two APIs spell one type differently: dateTime, datetime.
      streamDeclarations = {
        for item in local.tables : item.stream => {
          columns = [for column in item.columns : { name = column.name, type = lower(column.type) }]
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
        for item in local.tables : {
          streams      = [item.stream]
          destinations = ["workspace"]
          transformKql = "source"
          outputStream = "Custom-${item.name}"
        }
      ]
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = ["properties.immutableId", "properties.endpoints.logsIngestion"]
  depends_on                = [azapi_resource.table] # with tables
}

resource "azapi_resource" "sender" {
  count     = var.sender_principal_id == "" ? 0 : 1
  type      = "Microsoft.Authorization/roleAssignments@2022-04-01"
  parent_id = azapi_resource.rule.id
  name      = uuidv5("url", "${azapi_resource.rule.id}/${var.sender_principal_id}/${local.sender_role}")
  body = {
    properties = {
      roleDefinitionId = "/subscriptions/${split("/", local.resource_group_id)[2]}/providers/Microsoft.Authorization/roleDefinitions/${local.sender_role}"
      principalId      = var.sender_principal_id
      principalType    = "ServicePrincipal"
    }
  }
  schema_validation_enabled = false
  ignore_null_property      = true
  response_export_values    = []
}

# What the rule could not store goes to the table DCRLogErrors of the workspace.
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

# Azure accepts rows with a 204 and may lose them afterwards; only these metrics show it.
resource "azapi_resource" "alert" {
  for_each  = local.alerts
  type      = "Microsoft.Insights/metricAlerts@2018-03-01"
  parent_id = local.resource_group_id
  name      = "${var.dcr_name}-${each.key}"
  location  = "global"
  body = {
    properties = {
      description         = each.value.description
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
            name            = each.key
            metricNamespace = "Microsoft.Insights/dataCollectionRules"
            metricName      = each.value.metric
            timeAggregation = each.value.aggregation
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

moved {
  from = azapi_resource.rows_dropped
  to   = azapi_resource.alert["rows-dropped"]
}

moved {
  from = azapi_resource.transformation_errors
  to   = azapi_resource.alert["transformation-errors"]
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
  description = "The name of the rule in the ingestion URL."
  value       = azapi_resource.rule.output.properties.immutableId
}

output "dcr_resource_id" {
  description = "The rule; doctor compares it with the mappings."
  value       = azapi_resource.rule.id
}
