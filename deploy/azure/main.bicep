// The tables in Log Analytics, the data collection rule, the sender's role, the error log and the
// alerts. `sentinelone-source template --format bicep` prints this file with the tables of your
// mappings in place of tables.json.

targetScope = 'resourceGroup'

@description('The Log Analytics workspace: /subscriptions/.../workspaces/NAME.')
param workspaceResourceId string

var tables = loadJsonContent('tables.json')

// ==== tables ====

@description('Days that the tables can be queried, 4 to 730. -1: the setting of the workspace.')
param retentionInDays int = -1

@description('Days that the tables are kept, archive included, 4 to 4383. -1: no archive.')
param totalRetentionInDays int = -1

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: last(split(workspaceResourceId, '/'))
}

// One after another: a workspace refuses concurrent changes.
@batchSize(1)
resource table 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = [for item in tables: {
  parent: workspace
  name: item.name
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: item.name
      columns: item.columns
    }
  }
}]

// ==== parser ====

@description('Whether to install the workspace function SentinelOne.')
param withParser bool = false // true with --with-parser

resource parser 'Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01' = if (withParser) {
  parent: workspace
  name: 'sentinelone-source-parser'
  etag: '*'
  properties: {
    category: 'SentinelOne'
    displayName: 'SentinelOne'
    functionAlias: 'SentinelOne'
    query: loadTextContent('SentinelOne.kql')
    version: 2
  }
  dependsOn: [table]
}

// ==== rule ====

@description('Object id of the service principal or managed identity that sends; not of the app registration. Empty: no role is granted.')
param senderPrincipalId string

@description('Name of the data collection rule.')
param dcrName string = 'dcr-sentinelone'

@description('Region of the workspace; the rule must be in the same one.')
param location string = resourceGroup().location

@description('A data collection endpoint, which private link needs. Empty: the endpoint of the rule.')
param dataCollectionEndpointId string = ''

@description('The action group that the alerts call. Empty: none.')
param actionGroupId string = ''

// Monitoring Metrics Publisher: the built-in role that may send to a rule.
var senderRole = '3913510d-42f4-4e42-8a64-420c390055eb'

var alerts = [
  {
    name: 'rows-dropped'
    metric: 'RowsDropped_Count'
    aggregation: 'Total'
    description: 'Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors.'
  }
  {
    name: 'transformation-errors'
    metric: 'TransformationErrors_Count'
    aggregation: 'Count'
    description: 'Azure could not transform SentinelOne rows; see the table DCRLogErrors.'
  }
]

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: dcrName
  location: location
  kind: 'Direct'
  properties: {
    description: 'SentinelOne rows, from sentinelone-source'
    dataCollectionEndpointId: empty(dataCollectionEndpointId) ? null : dataCollectionEndpointId
    // The same columns as the tables. The two APIs spell one type differently: dateTime, datetime.
    streamDeclarations: toObject(tables, item => item.stream, item => {
      columns: map(item.columns, column => { name: column.name, type: toLower(column.type) })
    })
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspaceResourceId
        }
      ]
    }
    dataFlows: [for item in tables: {
      streams: [item.stream]
      destinations: ['workspace']
      transformKql: 'source'
      outputStream: 'Custom-${item.name}'
    }]
  }
  dependsOn: [table] // with tables
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(senderPrincipalId)) {
  scope: rule
  name: guid(rule.id, senderPrincipalId, senderRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', senderRole)
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// What the rule could not store goes to the table DCRLogErrors of the workspace.
resource errors 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: rule
  name: 'errors-to-workspace'
  properties: {
    workspaceId: workspaceResourceId
    logs: [
      {
        category: 'LogErrors'
        enabled: true
      }
    ]
  }
}

// Azure accepts rows with a 204 and may lose them afterwards; only these metrics show it.
resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for item in alerts: {
  name: '${dcrName}-${item.name}'
  location: 'global'
  properties: {
    description: item.description
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [rule.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: item.name
          metricNamespace: 'Microsoft.Insights/dataCollectionRules'
          metricName: item.metric
          timeAggregation: item.aggregation
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'InputStreamId'
              operator: 'Include'
              values: ['*']
            }
          ]
          skipMetricValidation: true
        }
      ]
    }
    actions: empty(actionGroupId) ? [] : [{ actionGroupId: actionGroupId }]
  }
}]

@description('The Entra tenant.')
output tenant_id string = tenant().tenantId

@description('The logs ingestion endpoint.')
output endpoint string = empty(dataCollectionEndpointId) ? rule.properties.endpoints.logsIngestion : reference(dataCollectionEndpointId, '2023-03-11').logsIngestion.endpoint

@description('The name of the rule in the ingestion URL.')
output dcr_immutable_id string = rule.properties.immutableId

@description('The rule; doctor compares it with the mappings.')
output dcr_resource_id string = rule.id
