// Made from the mappings by `sentinelone-source template`; make it again, do not edit it.

targetScope = 'resourceGroup'

@description('The Log Analytics workspace: /subscriptions/.../workspaces/NAME.')
param workspaceResourceId string

@description('How long the tables can be queried, 4 to 730 days; -1: as long as the workspace says.')
param retentionInDays int = -1

@description('The same with the archive, 4 to 4383 days; -1: no archive.')
param totalRetentionInDays int = -1

@description('Who sends: the object id of the service principal (of the enterprise application, not of the app registration) or of the managed identity; empty: no role is granted.')
param senderPrincipalId string

@description('The data collection rule\'s name.')
param dcrName string = 'dcr-sentinelone'

@description('The workspace\'s region: the rule must be in the same one.')
param location string = resourceGroup().location

@description('A data collection endpoint (private link needs one); empty: the rule\'s own endpoint.')
param dataCollectionEndpointId string = ''

@description('The action group that the alerts call; empty: none is called.')
param actionGroupId string = ''

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: last(split(workspaceResourceId, '/'))
}

resource table_activities 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SentinelOneActivities_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: 'SentinelOneActivities_CL'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'AgentUpdatedVersion', type: 'string' }
        { name: 'UserId', type: 'string' }
        { name: 'ThreatId', type: 'string' }
        { name: 'PrimaryDescription', type: 'string' }
        { name: 'SecondaryDescription', type: 'string' }
        { name: 'Id', type: 'string' }
        { name: 'GroupId', type: 'string' }
        { name: 'CreatedAt', type: 'dateTime' }
        { name: 'AccountName', type: 'string' }
        { name: 'Data', type: 'string' }
        { name: 'AgentId', type: 'string' }
        { name: 'Hash', type: 'string' }
        { name: 'UpdatedAt', type: 'dateTime' }
        { name: 'Description', type: 'string' }
        { name: 'ActivityUuid', type: 'string' }
        { name: 'SiteId', type: 'string' }
        { name: 'ActivityType', type: 'real' }
        { name: 'SiteName', type: 'string' }
        { name: 'AccountId', type: 'string' }
        { name: 'OsFamily', type: 'string' }
        { name: 'GroupName', type: 'string' }
        { name: 'Comments', type: 'string' }
      ]
    }
  }
}

resource table_agents 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SentinelOneAgents_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: 'SentinelOneAgents_CL'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'Uuid', type: 'string' }
        { name: 'MitigationMode', type: 'string' }
        { name: 'NetworkStatus', type: 'string' }
        { name: 'InstallerType', type: 'string' }
        { name: 'MitigationModeSuspicious', type: 'string' }
        { name: 'IsPendingUninstall', type: 'boolean' }
        { name: 'InRemoteShellSession', type: 'boolean' }
        { name: 'LastLoggedInUserName', type: 'string' }
        { name: 'OsRevision', type: 'string' }
        { name: 'OsArch', type: 'string' }
        { name: 'Id', type: 'string' }
        { name: 'ComputerName', type: 'string' }
        { name: 'TotalMemory', type: 'real' }
        { name: 'CreatedAt', type: 'dateTime' }
        { name: 'GroupId', type: 'string' }
        { name: 'LastActiveDate', type: 'dateTime' }
        { name: 'FullDiskScanLastUpdatedAt', type: 'dateTime' }
        { name: 'AllowRemoteShell', type: 'boolean' }
        { name: 'RangerVersion', type: 'string' }
        { name: 'AccountName', type: 'string' }
        { name: 'ScanStatus', type: 'string' }
        { name: 'Domain', type: 'string' }
        { name: 'MissingPermissions', type: 'string' }
        { name: 'IsActive', type: 'boolean' }
        { name: 'GroupIp', type: 'string' }
        { name: 'ThreatRebootRequired', type: 'boolean' }
        { name: 'GroupUpdatedAt', type: 'dateTime' }
        { name: 'ExternalId', type: 'string' }
        { name: 'MachineType', type: 'string' }
        { name: 'RegisteredAt', type: 'dateTime' }
        { name: 'AppsVulnerabilityStatus', type: 'string' }
        { name: 'CoreCount', type: 'real' }
        { name: 'Locations', type: 'string' }
        { name: 'ScanFinishedAt', type: 'dateTime' }
        { name: 'UpdatedAt', type: 'dateTime' }
        { name: 'ExternalIp', type: 'string' }
        { name: 'LocationType', type: 'string' }
        { name: 'PolicyUpdatedAt', type: 'dateTime' }
        { name: 'IsDecommissioned', type: 'boolean' }
        { name: 'CpuId', type: 'string' }
        { name: 'NetworkInterfaces', type: 'string' }
        { name: 'IsUninstalled', type: 'boolean' }
        { name: 'ActiveDirectory', type: 'string' }
        { name: 'ScanStartedAt', type: 'dateTime' }
        { name: 'RangerStatus', type: 'string' }
        { name: 'SiteId', type: 'string' }
        { name: 'AgentVersion', type: 'string' }
        { name: 'OsUsername', type: 'string' }
        { name: 'EncryptedApplications', type: 'boolean' }
        { name: 'LastIpToMgmt', type: 'string' }
        { name: 'CpuCount', type: 'real' }
        { name: 'ScanAbortedAt', type: 'dateTime' }
        { name: 'SiteName', type: 'string' }
        { name: 'ActiveThreats', type: 'real' }
        { name: 'Infected', type: 'boolean' }
        { name: 'ConsoleMigrationStatus', type: 'string' }
        { name: 'OsType', type: 'string' }
        { name: 'AccountId', type: 'string' }
        { name: 'GroupName', type: 'string' }
        { name: 'OsName', type: 'string' }
        { name: 'IsUpToDate', type: 'boolean' }
        { name: 'LicenseKey', type: 'string' }
        { name: 'UserActionsNeeded', type: 'string' }
        { name: 'ModelName', type: 'string' }
        { name: 'OsStartTime', type: 'dateTime' }
        { name: 'NetworkQuarantineEnabled', type: 'boolean' }
        { name: 'OperationalStateExpiration', type: 'string' }
        { name: 'RemoteProfilingState', type: 'string' }
      ]
    }
  }
  dependsOn: [table_activities]
}

resource table_alerts 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SentinelOneAlerts_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: 'SentinelOneAlerts_CL'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'SourceProcessInfo', type: 'string' }
        { name: 'AlertInfo', type: 'string' }
        { name: 'AgentDetectionInfo', type: 'string' }
        { name: 'RuleInfo', type: 'string' }
        { name: 'ContainerInfo', type: 'string' }
        { name: 'SourceParentProcessInfo', type: 'string' }
        { name: 'TargetProcessInfo', type: 'string' }
        { name: 'KubernetesInfo', type: 'string' }
      ]
    }
  }
  dependsOn: [table_agents]
}

resource table_groups 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SentinelOneGroups_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: 'SentinelOneGroups_CL'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'Creator', type: 'string' }
        { name: 'RegistrationToken', type: 'string' }
        { name: 'IsDefault', type: 'string' }
        { name: 'UpdatedAt', type: 'dateTime' }
        { name: 'TotalAgents', type: 'string' }
        { name: 'Inherits', type: 'string' }
        { name: 'Name', type: 'string' }
        { name: 'Rank', type: 'real' }
        { name: 'FilterName', type: 'string' }
        { name: 'GroupType', type: 'string' }
        { name: 'Id', type: 'string' }
        { name: 'CreatedAt', type: 'dateTime' }
        { name: 'CreatorId', type: 'string' }
        { name: 'SiteId', type: 'string' }
        { name: 'FilterId', type: 'string' }
      ]
    }
  }
  dependsOn: [table_alerts]
}

resource table_threats 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: 'SentinelOneThreats_CL'
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: 'SentinelOneThreats_CL'
      columns: [
        { name: 'TimeGenerated', type: 'dateTime' }
        { name: 'FilePath', type: 'string' }
        { name: 'CloudVerdict', type: 'string' }
        { name: 'MitigationMode', type: 'string' }
        { name: 'AgentOsType', type: 'string' }
        { name: 'AgentInfected', type: 'boolean' }
        { name: 'InitiatingUserId', type: 'string' }
        { name: 'Engines', type: 'string' }
        { name: 'Id', type: 'string' }
        { name: 'FileExtensionType', type: 'string' }
        { name: 'MitigationStatus', type: 'string' }
        { name: 'AgentDomain', type: 'string' }
        { name: 'CreatedAt', type: 'dateTime' }
        { name: 'IsCertValid', type: 'boolean' }
        { name: 'FileDisplayName', type: 'string' }
        { name: 'AgentIp', type: 'string' }
        { name: 'AccountName', type: 'string' }
        { name: 'AgentMachineType', type: 'string' }
        { name: 'FileVerificationType', type: 'string' }
        { name: 'Indicators', type: 'string' }
        { name: 'InitiatedByDescription', type: 'string' }
        { name: 'AutomaticallyResolved', type: 'boolean' }
        { name: 'AgentId', type: 'string' }
        { name: 'ProcessArguments', type: 'string' }
        { name: 'MitigationReport', type: 'string' }
        { name: 'ThreatName', type: 'string' }
        { name: 'ClassificationSource', type: 'string' }
        { name: 'UpdatedAt', type: 'dateTime' }
        { name: 'InitiatedBy', type: 'string' }
        { name: 'AgentNetworkStatus', type: 'string' }
        { name: 'AgentComputerName', type: 'string' }
        { name: 'Classification', type: 'string' }
        { name: 'CertId', type: 'string' }
        { name: 'AgentIsActive', type: 'boolean' }
        { name: 'SiteId', type: 'string' }
        { name: 'AgentVersion', type: 'string' }
        { name: 'FileContentHash', type: 'string' }
        { name: 'WhiteningOptions', type: 'string' }
        { name: 'Username', type: 'string' }
        { name: 'FileSha256', type: 'string' }
        { name: 'AgentIsDecommissioned', type: 'boolean' }
        { name: 'CollectionId', type: 'string' }
        { name: 'SiteName', type: 'string' }
        { name: 'AccountId', type: 'string' }
        { name: 'ThreatInfo', type: 'dynamic' }
        { name: 'AgentDetectionInfo', type: 'dynamic' }
        { name: 'AgentRealtimeInfo', type: 'dynamic' }
      ]
    }
  }
  dependsOn: [table_groups]
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: dcrName
  location: location
  kind: 'Direct'
  properties: {
    description: 'SentinelOne rows, from sentinelone-source'
    dataCollectionEndpointId: empty(dataCollectionEndpointId) ? null : dataCollectionEndpointId
    streamDeclarations: {
      'Custom-SentinelOneActivities_CL': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'AgentUpdatedVersion', type: 'string' }
          { name: 'UserId', type: 'string' }
          { name: 'ThreatId', type: 'string' }
          { name: 'PrimaryDescription', type: 'string' }
          { name: 'SecondaryDescription', type: 'string' }
          { name: 'Id', type: 'string' }
          { name: 'GroupId', type: 'string' }
          { name: 'CreatedAt', type: 'datetime' }
          { name: 'AccountName', type: 'string' }
          { name: 'Data', type: 'string' }
          { name: 'AgentId', type: 'string' }
          { name: 'Hash', type: 'string' }
          { name: 'UpdatedAt', type: 'datetime' }
          { name: 'Description', type: 'string' }
          { name: 'ActivityUuid', type: 'string' }
          { name: 'SiteId', type: 'string' }
          { name: 'ActivityType', type: 'real' }
          { name: 'SiteName', type: 'string' }
          { name: 'AccountId', type: 'string' }
          { name: 'OsFamily', type: 'string' }
          { name: 'GroupName', type: 'string' }
          { name: 'Comments', type: 'string' }
        ]
      }
      'Custom-SentinelOneAgents_CL': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'Uuid', type: 'string' }
          { name: 'MitigationMode', type: 'string' }
          { name: 'NetworkStatus', type: 'string' }
          { name: 'InstallerType', type: 'string' }
          { name: 'MitigationModeSuspicious', type: 'string' }
          { name: 'IsPendingUninstall', type: 'boolean' }
          { name: 'InRemoteShellSession', type: 'boolean' }
          { name: 'LastLoggedInUserName', type: 'string' }
          { name: 'OsRevision', type: 'string' }
          { name: 'OsArch', type: 'string' }
          { name: 'Id', type: 'string' }
          { name: 'ComputerName', type: 'string' }
          { name: 'TotalMemory', type: 'real' }
          { name: 'CreatedAt', type: 'datetime' }
          { name: 'GroupId', type: 'string' }
          { name: 'LastActiveDate', type: 'datetime' }
          { name: 'FullDiskScanLastUpdatedAt', type: 'datetime' }
          { name: 'AllowRemoteShell', type: 'boolean' }
          { name: 'RangerVersion', type: 'string' }
          { name: 'AccountName', type: 'string' }
          { name: 'ScanStatus', type: 'string' }
          { name: 'Domain', type: 'string' }
          { name: 'MissingPermissions', type: 'string' }
          { name: 'IsActive', type: 'boolean' }
          { name: 'GroupIp', type: 'string' }
          { name: 'ThreatRebootRequired', type: 'boolean' }
          { name: 'GroupUpdatedAt', type: 'datetime' }
          { name: 'ExternalId', type: 'string' }
          { name: 'MachineType', type: 'string' }
          { name: 'RegisteredAt', type: 'datetime' }
          { name: 'AppsVulnerabilityStatus', type: 'string' }
          { name: 'CoreCount', type: 'real' }
          { name: 'Locations', type: 'string' }
          { name: 'ScanFinishedAt', type: 'datetime' }
          { name: 'UpdatedAt', type: 'datetime' }
          { name: 'ExternalIp', type: 'string' }
          { name: 'LocationType', type: 'string' }
          { name: 'PolicyUpdatedAt', type: 'datetime' }
          { name: 'IsDecommissioned', type: 'boolean' }
          { name: 'CpuId', type: 'string' }
          { name: 'NetworkInterfaces', type: 'string' }
          { name: 'IsUninstalled', type: 'boolean' }
          { name: 'ActiveDirectory', type: 'string' }
          { name: 'ScanStartedAt', type: 'datetime' }
          { name: 'RangerStatus', type: 'string' }
          { name: 'SiteId', type: 'string' }
          { name: 'AgentVersion', type: 'string' }
          { name: 'OsUsername', type: 'string' }
          { name: 'EncryptedApplications', type: 'boolean' }
          { name: 'LastIpToMgmt', type: 'string' }
          { name: 'CpuCount', type: 'real' }
          { name: 'ScanAbortedAt', type: 'datetime' }
          { name: 'SiteName', type: 'string' }
          { name: 'ActiveThreats', type: 'real' }
          { name: 'Infected', type: 'boolean' }
          { name: 'ConsoleMigrationStatus', type: 'string' }
          { name: 'OsType', type: 'string' }
          { name: 'AccountId', type: 'string' }
          { name: 'GroupName', type: 'string' }
          { name: 'OsName', type: 'string' }
          { name: 'IsUpToDate', type: 'boolean' }
          { name: 'LicenseKey', type: 'string' }
          { name: 'UserActionsNeeded', type: 'string' }
          { name: 'ModelName', type: 'string' }
          { name: 'OsStartTime', type: 'datetime' }
          { name: 'NetworkQuarantineEnabled', type: 'boolean' }
          { name: 'OperationalStateExpiration', type: 'string' }
          { name: 'RemoteProfilingState', type: 'string' }
        ]
      }
      'Custom-SentinelOneAlerts_CL': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'SourceProcessInfo', type: 'string' }
          { name: 'AlertInfo', type: 'string' }
          { name: 'AgentDetectionInfo', type: 'string' }
          { name: 'RuleInfo', type: 'string' }
          { name: 'ContainerInfo', type: 'string' }
          { name: 'SourceParentProcessInfo', type: 'string' }
          { name: 'TargetProcessInfo', type: 'string' }
          { name: 'KubernetesInfo', type: 'string' }
        ]
      }
      'Custom-SentinelOneGroups_CL': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'Creator', type: 'string' }
          { name: 'RegistrationToken', type: 'string' }
          { name: 'IsDefault', type: 'string' }
          { name: 'UpdatedAt', type: 'datetime' }
          { name: 'TotalAgents', type: 'string' }
          { name: 'Inherits', type: 'string' }
          { name: 'Name', type: 'string' }
          { name: 'Rank', type: 'real' }
          { name: 'FilterName', type: 'string' }
          { name: 'GroupType', type: 'string' }
          { name: 'Id', type: 'string' }
          { name: 'CreatedAt', type: 'datetime' }
          { name: 'CreatorId', type: 'string' }
          { name: 'SiteId', type: 'string' }
          { name: 'FilterId', type: 'string' }
        ]
      }
      'Custom-SentinelOneThreats_CL': {
        columns: [
          { name: 'TimeGenerated', type: 'datetime' }
          { name: 'FilePath', type: 'string' }
          { name: 'CloudVerdict', type: 'string' }
          { name: 'MitigationMode', type: 'string' }
          { name: 'AgentOsType', type: 'string' }
          { name: 'AgentInfected', type: 'boolean' }
          { name: 'InitiatingUserId', type: 'string' }
          { name: 'Engines', type: 'string' }
          { name: 'Id', type: 'string' }
          { name: 'FileExtensionType', type: 'string' }
          { name: 'MitigationStatus', type: 'string' }
          { name: 'AgentDomain', type: 'string' }
          { name: 'CreatedAt', type: 'datetime' }
          { name: 'IsCertValid', type: 'boolean' }
          { name: 'FileDisplayName', type: 'string' }
          { name: 'AgentIp', type: 'string' }
          { name: 'AccountName', type: 'string' }
          { name: 'AgentMachineType', type: 'string' }
          { name: 'FileVerificationType', type: 'string' }
          { name: 'Indicators', type: 'string' }
          { name: 'InitiatedByDescription', type: 'string' }
          { name: 'AutomaticallyResolved', type: 'boolean' }
          { name: 'AgentId', type: 'string' }
          { name: 'ProcessArguments', type: 'string' }
          { name: 'MitigationReport', type: 'string' }
          { name: 'ThreatName', type: 'string' }
          { name: 'ClassificationSource', type: 'string' }
          { name: 'UpdatedAt', type: 'datetime' }
          { name: 'InitiatedBy', type: 'string' }
          { name: 'AgentNetworkStatus', type: 'string' }
          { name: 'AgentComputerName', type: 'string' }
          { name: 'Classification', type: 'string' }
          { name: 'CertId', type: 'string' }
          { name: 'AgentIsActive', type: 'boolean' }
          { name: 'SiteId', type: 'string' }
          { name: 'AgentVersion', type: 'string' }
          { name: 'FileContentHash', type: 'string' }
          { name: 'WhiteningOptions', type: 'string' }
          { name: 'Username', type: 'string' }
          { name: 'FileSha256', type: 'string' }
          { name: 'AgentIsDecommissioned', type: 'boolean' }
          { name: 'CollectionId', type: 'string' }
          { name: 'SiteName', type: 'string' }
          { name: 'AccountId', type: 'string' }
          { name: 'ThreatInfo', type: 'dynamic' }
          { name: 'AgentDetectionInfo', type: 'dynamic' }
          { name: 'AgentRealtimeInfo', type: 'dynamic' }
        ]
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspaceResourceId
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          'Custom-SentinelOneActivities_CL'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-SentinelOneActivities_CL'
      }
      {
        streams: [
          'Custom-SentinelOneAgents_CL'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-SentinelOneAgents_CL'
      }
      {
        streams: [
          'Custom-SentinelOneAlerts_CL'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-SentinelOneAlerts_CL'
      }
      {
        streams: [
          'Custom-SentinelOneGroups_CL'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-SentinelOneGroups_CL'
      }
      {
        streams: [
          'Custom-SentinelOneThreats_CL'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-SentinelOneThreats_CL'
      }
    ]
  }
  dependsOn: [table_activities, table_agents, table_alerts, table_groups, table_threats]
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(senderPrincipalId)) {
  scope: rule
  name: guid(rule.id, senderPrincipalId, '3913510d-42f4-4e42-8a64-420c390055eb')
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

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

resource rows_dropped 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${dcrName}-rows-dropped'
  location: 'global'
  properties: {
    description: 'Azure dropped SentinelOne rows after accepting them; see the table DCRLogErrors.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      rule.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'rows-dropped'
          metricNamespace: 'Microsoft.Insights/dataCollectionRules'
          metricName: 'RowsDropped_Count'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'InputStreamId'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          skipMetricValidation: true
        }
      ]
    }
    actions: empty(actionGroupId) ? [] : [{ actionGroupId: actionGroupId }]
  }
}

resource transformation_errors 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${dcrName}-transformation-errors'
  location: 'global'
  properties: {
    description: 'Azure could not transform SentinelOne rows; see the table DCRLogErrors.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      rule.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'transformation-errors'
          metricNamespace: 'Microsoft.Insights/dataCollectionRules'
          metricName: 'TransformationErrors_Count'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'InputStreamId'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          skipMetricValidation: true
        }
      ]
    }
    actions: empty(actionGroupId) ? [] : [{ actionGroupId: actionGroupId }]
  }
}

@description('The Entra tenant.')
output tenant_id string = tenant().tenantId

@description('The logs ingestion endpoint.')
output endpoint string = empty(dataCollectionEndpointId) ? rule.properties.endpoints.logsIngestion : reference(dataCollectionEndpointId, '2023-03-11').logsIngestion.endpoint

@description('What the rule is called in the ingestion URL.')
output dcr_immutable_id string = rule.properties.immutableId

@description('The rule; doctor compares it with the mappings.')
output dcr_resource_id string = rule.id
